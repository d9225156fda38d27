#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/random.hpp>

// Sequences whose labels ask for a state: automata, running parities, word problems of groups; and what a reader of the
// last few symbols alone can get right.

namespace hrm::examples {

/// A complete automaton over {0, 1}, from state 0.
struct automaton {
    std::vector<std::array<std::int32_t, 2>> next;
    std::int32_t operator()(std::int32_t state, int symbol) const {
        return next[static_cast<std::size_t>(state)][static_cast<std::size_t>(symbol)];
    }
};

/// Every transition uniform among the states.
inline automaton random_automaton(index_t states, random_stream& random) {
    automaton a;
    for (index_t s = 0; s < states; ++s) {
        const auto zero = static_cast<std::int32_t>(random.below(states)), one = static_cast<std::int32_t>(random.below(states));
        a.next.push_back({zero, one});
    }
    return a;
}

/// Both symbols uniform among the permutations of the states: nothing is ever forgotten.
inline automaton random_permutation_automaton(index_t states, random_stream& random) {
    automaton a;
    a.next.resize(static_cast<std::size_t>(states));
    for (std::size_t symbol = 0; symbol < 2; ++symbol) {
        std::vector<std::int32_t> to(static_cast<std::size_t>(states));
        std::iota(to.begin(), to.end(), 0);
        for (auto i = states - 1; i > 0; --i)
            std::swap(to[static_cast<std::size_t>(i)], to[static_cast<std::size_t>(random.below(i + 1))]);
        for (std::size_t s = 0; s < to.size(); ++s) a.next[s][symbol] = to[s];
    }
    return a;
}

/// Bayes' accuracy for the state after `length` fair symbols, from the table and the last `window` symbols:
/// the distribution after length - window unseen symbols, carried through those seen; its greatest probability.
inline double bayes_of(const automaton& a, index_t length, const std::vector<int>& window) {
    std::vector<double> p(a.next.size()), q(p.size());
    p[0] = 1;
    const auto unseen = length - static_cast<index_t>(window.size());
    for (index_t t = 0; t < unseen; ++t) {
        std::fill(q.begin(), q.end(), 0.0);
        for (std::size_t s = 0; s < p.size(); ++s)
            for (const auto to : a.next[s]) q[static_cast<std::size_t>(to)] += p[s] / 2;
        p.swap(q);
    }
    for (const int symbol : window) {
        std::fill(q.begin(), q.end(), 0.0);
        for (std::size_t s = 0; s < p.size(); ++s)
            q[static_cast<std::size_t>(a(static_cast<std::int32_t>(s), symbol))] += p[s];
        p.swap(q);
    }
    return *std::max_element(p.begin(), p.end());
}

/// A finite group by its multiplication table; element 0 is the identity.
struct group {
    std::vector<std::vector<std::int32_t>> product;
    index_t order() const { return static_cast<index_t>(product.size()); }
};

inline group cyclic_group(index_t n) {
    group g;
    g.product.assign(static_cast<std::size_t>(n), std::vector<std::int32_t>(static_cast<std::size_t>(n)));
    for (index_t a = 0; a < n; ++a)
        for (index_t b = 0; b < n; ++b)
            g.product[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)] = static_cast<std::int32_t>((a + b) % n);
    return g;
}

/// The permutations of so many points, or the even ones, in lexicographic order; a * b applies a first.
inline group permutation_group(index_t points, bool even_only) {
    std::vector<std::vector<std::size_t>> list;
    std::vector<std::size_t> p(static_cast<std::size_t>(points));
    std::iota(p.begin(), p.end(), std::size_t{0});
    do {
        int inversions = 0;
        for (std::size_t i = 0; i < p.size(); ++i)
            for (std::size_t j = i + 1; j < p.size(); ++j) inversions += p[i] > p[j];
        if (!even_only || inversions % 2 == 0) list.push_back(p);
    } while (std::next_permutation(p.begin(), p.end()));
    group g;
    for (const auto& a : list) {
        auto& row = g.product.emplace_back();
        for (const auto& b : list) {
            for (std::size_t i = 0; i < p.size(); ++i) p[i] = b[a[i]];
            row.push_back(static_cast<std::int32_t>(std::lower_bound(list.begin(), list.end(), p) - list.begin()));
        }
    }
    return g;
}

/// Tokens and, for each, the label its position must give; -1: none is asked for.
struct labelled {
    std::vector<std::int32_t> tokens, targets;
};

/// A family of labelled sequences.
///     dfa, permutation   table of a k-state automaton of its own (2k states), SEP, T symbols, SEP.  Label: the last state,
///                        at the last token. States are tokens 0 .. k - 1, symbols k and k + 1, SEP k + 2.
///     parity             T bits, SEP, their first T - 1 running parities.  Labels: the T parities, from SEP on. The label
///                        before is an input: one bit, T tokens back, is all that a position needs besides it.
///     cyclic, s3, a5     T elements of the group.  Labels: their running products, at every token; no label is an input.
class task {
public:
    /// size: states of an automaton or elements of the cyclic group; the others have their own. Throws error for a name or
    /// a size that makes no task.
    task(const std::string& name, index_t size, std::uint64_t seed) : name_(name), size_(size), seed_(seed) {
        if (name == "parity") size_ = 2;
        else if (name == "s3") group_ = permutation_group(3, false);
        else if (name == "a5") group_ = permutation_group(5, true);
        else if (name != "dfa" && name != "permutation" && name != "cyclic")
            throw error("task: \"" + name + "\", expected dfa, permutation, parity, cyclic, s3 or a5");
        if (group_.product.empty() && size_ < 2) throw error("task: size " + std::to_string(size_) + ", expected 2 or more");
        if (name == "cyclic") group_ = cyclic_group(size_);
        if (!group_.product.empty()) size_ = group_.order();
    }

    const std::string& name() const { return name_; }
    /// Values a label can have.
    index_t labels() const { return size_; }
    bool is_automaton() const { return name_ == "dfa" || name_ == "permutation"; }
    index_t vocabulary() const { return is_automaton() ? size_ + 3 : name_ == "parity" ? 3 : size_; }
    double chance() const { return 1 / static_cast<double>(size_); }

    /// Item `item` of batch `step`: a function of (seed, step, item) and nothing else.
    labelled sample(index_t length, index_t step, index_t item) const {
        auto random = stream(0x7461736b, step, item);
        labelled s;
        if (is_automaton()) automaton_sample(length, random, s);
        else if (name_ == "parity") parity_sample(length, random, s);
        else group_sample(length, random, s);
        return s;
    }

    /// The best mean accuracy over the labels that the last `window` symbols allow: of an automaton (its table known) the
    /// mean over `samples` simulated ones, standard error at most 1 / (2 sqrt(samples)); of the others, exact:
    /// a running product is uniform unless every factor is in the window, a running parity unless the bit T tokens back is.
    double window_bayes(index_t length, index_t window, index_t samples) const {
        const auto part = [&](double known) { return (known + (static_cast<double>(length) - known) * chance()) / static_cast<double>(length); };
        if (name_ == "parity") return window > length ? 1 : chance();
        window = std::min(window, length);
        if (!is_automaton()) return part(static_cast<double>(window));
        double sum = 0;
        std::vector<int> seen(static_cast<std::size_t>(window));
        for (index_t i = 0; i < samples; ++i) {
            auto random = stream(0x6261796573, 0, i);
            const auto a = draw(random);
            for (auto& symbol : seen) symbol = static_cast<int>(random.below(2));
            sum += bayes_of(a, length, seen);
        }
        return sum / static_cast<double>(samples);
    }

private:
    random_stream stream(std::uint64_t use, index_t step, index_t item) const {
        random_stream random(seed_, (use << 32) + static_cast<std::uint64_t>(step));
        random.seek(static_cast<std::uint64_t>(item) << 32);
        return random;
    }
    automaton draw(random_stream& random) const {
        return name_ == "dfa" ? random_automaton(size_, random) : random_permutation_automaton(size_, random);
    }
    void automaton_sample(index_t length, random_stream& random, labelled& s) const {
        const auto a = draw(random);
        const auto first = static_cast<std::int32_t>(size_), separator = first + 2;
        for (const auto& row : a.next) s.tokens.insert(s.tokens.end(), row.begin(), row.end());
        s.tokens.push_back(separator);
        std::int32_t state = 0;
        for (index_t t = 0; t < length; ++t) {
            const auto symbol = static_cast<int>(random.below(2));
            s.tokens.push_back(first + symbol);
            state = a(state, symbol);
        }
        s.tokens.push_back(separator);
        s.targets.assign(s.tokens.size(), -1);
        s.targets.back() = state;
    }
    static void parity_sample(index_t length, random_stream& random, labelled& s) {
        for (index_t t = 0; t < length; ++t) s.tokens.push_back(static_cast<std::int32_t>(random.below(2)));
        s.tokens.push_back(2);
        s.targets.assign(static_cast<std::size_t>(length), -1);
        std::int32_t parity = 0;
        for (index_t t = 0; t < length; ++t) {
            parity ^= s.tokens[static_cast<std::size_t>(t)];
            s.targets.push_back(parity);
            if (t + 1 < length) s.tokens.push_back(parity);
        }
    }
    void group_sample(index_t length, random_stream& random, labelled& s) const {
        std::int32_t product = 0;
        for (index_t t = 0; t < length; ++t) {
            const auto element = static_cast<std::int32_t>(random.below(size_));
            s.tokens.push_back(element);
            product = group_.product[static_cast<std::size_t>(product)][static_cast<std::size_t>(element)];
            s.targets.push_back(product);
        }
    }

    std::string name_;
    index_t size_;
    std::uint64_t seed_;
    group group_;
};

}  // namespace hrm::examples
