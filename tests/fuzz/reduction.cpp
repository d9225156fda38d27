// Small systems of every structure, real ones and complex ones, from a string of bytes, through every public function of reduction/ and systems/.
//     clang++ -fsanitize=fuzzer,address,undefined -DHRM_LIBFUZZER ...     under libFuzzer
//     fuzz_reduction [COUNT [SEED]]                                       COUNT strings drawn from SEED, no libFuzzer needed
// Ends with an error at the first complaint; a crash, an endless loop or a sanitizer's report is one as well.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include <hrm/core/random.hpp>

#include "every_function.hpp"

namespace {

using namespace hrm;
using namespace hrm::testing;

/// Choices from bytes; zeros when they run out.
class bytes {
public:
    bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    unsigned next() { return at_ < size_ ? data_[at_++] : 0; }
    index_t below(index_t n) { return static_cast<index_t>(next()) % n; }
    /// Mostly numbers like -0.73, sometimes ones that are nobody's friend.
    double number(unsigned oddness) {
        constexpr double infinity = std::numeric_limits<double>::infinity(), strange[] = {
            0, 0, 1, -1, -1, 0.5, 1e-8, -1e-8, 1e8, -1e8, 1e-160, -1e160, 1e-300, -1e300, 1e300, 5e-324, -5e-324, infinity, -infinity,
            std::numeric_limits<double>::quiet_NaN(), 1 - 1e-16, -1 + 1e-12, -1e-17, -1 - 1e-9, 2, -2, -0.0, 1e-30};
        const unsigned kind = next();
        if (kind < oddness) return strange[next() % std::size(strange)];
        if (kind < oddness + 40) return 0;
        const unsigned high = next(), low = kind % 16;
        return (static_cast<double>(high * 16 + low) - 2048) / 1024;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_, at_ = 0;
};

template <class System>
void run(int group, const System& g) {
    call_group(group, g, [&](const debt& owed, auto f) {
        const auto text = complaint(g, owed, f);
        if (text.empty()) return;
        std::fprintf(stderr, "complaint: %s\n", text.c_str());
        const auto print = [](const char* name, const auto& m) {
            std::fprintf(stderr, "%s: %ld x %ld\n", name, static_cast<long>(m.rows()), static_cast<long>(m.cols()));
            for (index_t i = 0; i < m.rows(); ++i) {
                for (index_t j = 0; j < m.cols(); ++j) {
                    std::fprintf(stderr, " %.17g", std::real(m(i, j)));
                    if constexpr (complex_system<System>) std::fprintf(stderr, "%+.17gi", std::imag(m(i, j)));
                }
                std::fprintf(stderr, "\n");
            }
        };
        constexpr bool whole = std::same_as<typename System::structure_type, dense<typename System::scalar>>;
        std::fprintf(stderr, "%s time, %s\n", in_discrete_time<System> ? "discrete" : "continuous", whole ? "dense" : "modal");
        print("A", to_dense(g.a));
        print("B", g.b);
        print("C", g.c);
        print("D", g.d);
        std::abort();
    });
}

/// T: double or complex.
template <template <class> class System, class T>
void build(bytes& in, int group) {
    const index_t n = in.below(6), m = in.below(4), p = in.below(4), kind = in.below(4);
    const unsigned oddness = in.next() < 128 ? 3 : 40;
    const auto fill = [&](matrix<T>& x) {
        for (auto& v : x.flat())
            if constexpr (real<T>) v = in.number(oddness);
            else {
                const double re = in.number(oddness);
                v = {re, in.number(oddness)};
            }
    };
    System<dense<T>> g{{matrix<T>(n, n)}, matrix<T>(n, m), matrix<T>(p, n), {}};
    fill(g.a.a);
    fill(g.b);
    fill(g.c);
    if (in.next() < 60) {
        g.d = matrix<T>(p, m);
        fill(g.d);
    }
    // Half of them nearer to stable, some triangular: often defective.
    const double shift = in_discrete_time<System<dense<T>>> ? 0 : -static_cast<double>(in.below(4)), scale = in.next() < 128 ? 0.3 : 1;
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) {
            g.a.a(i, j) = kind == 3 && j < i ? T{} : scale * g.a.a(i, j);
            if (i == j) g.a.a(i, i) += shift;
        }
    if (kind < 2) return run(group, g);
    if (kind == 2) {
        System<diagonal<T>> d{{}, g.b, g.c, g.d};
        for (index_t i = 0; i < n; ++i) d.a.poles.push_back(g.a.a(i, i));
        return run(group, d);
    }
    if (complex_scalar<T> || in.next() < 128) return run(group, g);
    if constexpr (real<T>) {
        System<complex_pairs<double>> c{{}, g.b, g.c, g.d};
        for (index_t i = 0; i < n % 2; ++i) c.a.real.push_back(g.a.a(i, i));
        for (index_t i = 0; i < n / 2; ++i) {
            c.a.re.push_back(g.a.a(2 * i, 2 * i));
            c.a.im.push_back(g.a.a(2 * i, 2 * i + 1));
        }
        run(group, c);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bytes in(data, size);
    const auto group = static_cast<int>(in.below(function_groups));
    const unsigned kind = in.next();
    const bool step = kind % 2 != 0, over_complex = kind / 2 % 8 == 7;
    if (over_complex) step ? build<discrete, std::complex<double>>(in, group) : build<continuous, std::complex<double>>(in, group);
    else step ? build<discrete, double>(in, group) : build<continuous, double>(in, group);
    return 0;
}

#ifndef HRM_LIBFUZZER
int main(int count, char** argument) {
    const long executions = count > 1 ? std::atol(argument[1]) : 20000, seed = count > 2 ? std::atol(argument[2]) : 1;
    hrm::random_stream random(static_cast<std::uint64_t>(seed));
    std::uint8_t data[640];
    for (long i = 0; i < executions; ++i) {
        for (auto& x : data) x = static_cast<std::uint8_t>(random.below(256));
        LLVMFuzzerTestOneInput(data, sizeof data);
    }
    std::printf("%ld executions from seed %ld: no complaint\n", executions, seed);
}
#endif
