#pragma once

#include <string>
#include <variant>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/recurrent.hpp>

namespace hrm {

namespace detail {
/// B or C rounded, as it lies; where pairs are multiplied, packed besides, straight and turned: three times its bytes.
template <storable T>
class stored_weights {
    static constexpr bool pairs = std::same_as<weights<T>, skinny::paired_view>;

public:
    stored_weights() = default;
    void set(matrix_view<const accumulate_t<T>> from) {
        if (m_.empty() || m_.rows() != from.rows || m_.cols() != from.cols) *this = stored_weights(from.rows, from.cols);
        convert<T, accumulate_t<T>>(from, m_.view());
        if constexpr (pairs) skinny::pack_pairs(m_.view(), straight_.data()), skinny::pack_pairs(transposed(m_.view()), turned_.data());
    }
    weights<T> view() const {
        if constexpr (pairs) return {m_, packed(straight_, m_.rows(), m_.cols()), packed(turned_, m_.cols(), m_.rows())};
        else return m_;
    }

private:
    using pair = simd::bf16_pair;
    stored_weights(index_t rows, index_t cols) : m_(rows, cols) {
        if constexpr (pairs) {
            straight_.resize(static_cast<std::size_t>(skinny::packed_size(strided_view<const T>(m_.view()))));
            turned_.resize(static_cast<std::size_t>(skinny::packed_size(transposed(matrix_view<const T>(m_.view())))));
        }
    }
    static skinny::packed<pair> packed(const buffer<pair>& x, index_t rows, index_t cols) { return {x.data(), skinny::operands<pair>(rows), cols}; }

    matrix<T> m_;
    buffer<pair> straight_, turned_;
};
}  // namespace detail

/// An adapter in bf16: u, out, dout, du, and B and C as its passes read them. A copy of theirs, rounded; the parameters
/// themselves, their gradients, all states and sums stay in float. Half the bytes of a decoded token.
///     hrm::stored_adapter<hrm::bf16> a(adapter);       // lora, hrm_adapter or reduced_adapter of float, which must outlive it
///     a.set();                                         // after the parameters changed
///     a.forward(u, out, how, keep, ws);                // as adapter::forward
///     a.backward(u, dout, du, gradient, how, keep, ws);
/// Gradients are those at the rounded B and C. What comes out is what the float passes give of the widened numbers, bit for
/// bit, rounded to nearest once; so it has the same bits for any chunks, for decoding, and for any number of threads. Where the
/// processor multiplies pairs of bf16 (skinny_pairs.hpp), it still does, but states are rounded as they enter a product; and B and C
/// are kept packed for forward and for backward besides, 6 bytes a number instead of 2: packing them took a sixth of a call of 16 tokens.
/// Dropout, a feedthrough and gates for tokens add to out or du more than once: they run on u, out and du widened in scratch.
template <storable T>
class stored_adapter {
public:
    using S = accumulate_t<T>;

    /// Throws error for an adapter of another kind.
    explicit stored_adapter(const adapter<S>& a) {
        if (const auto* memoryless = dynamic_cast<const lora<S>*>(&a)) inside_ = memoryless;
        else if (const auto* recurrent = dynamic_cast<const recurrent_adapter<S>*>(&a)) inside_ = recurrent;
        else throw error("hrm::stored_adapter: kind is \"" + std::string(a.kind()) + "\", expected lora, hrm or hrm-reduced");
        set();
    }
    stored_adapter(const adapter<S>&&) = delete;

    /// B and C rounded again, whatever their shapes have become.
    void set() {
        on([&](const auto& a) {
            const auto w = a.projections();
            in_.set(w.in), out_.set(w.out);
        });
    }

    /// out += A(u). Throws shape_error where the adapter was given other shapes and set() was not called.
    void forward(matrix_view<const T> u, matrix_view<T> out, const call<S>& how, kept<S>& keep, workspace& ws) const {
        on([&](const auto& a) {
            const auto w = rounded(a);
            if (a.sums_once(how)) return a.template forward_with<T, T>(w, u, out, how, keep, ws);
            require_shape("hrm::stored_adapter", "u", u.rows, u.cols, u.rows, a.inputs());
            require_shape("hrm::stored_adapter", "out", out.rows, out.cols, u.rows, a.outputs());
            const auto before = ws.mark();
            const auto wide = copy(matrix_view<const T>(out), ws);
            a.template forward_with<S, T>(w, copy(u, ws), wide, how, keep, ws);
            detail::convert<T, S>(wide, out);
            if (how.mode == pass::inference) ws.release(before);
        });
    }
    /// After a training forward with the same u and call: du += dA/du^T dout (du may be empty), gradient += dA/dtheta^T dout, laid
    /// out like the adapter's parameters.
    void backward(matrix_view<const T> u, matrix_view<const T> dout, matrix_view<T> du, std::span<S> gradient, const call<S>& how,
                  const kept<S>& keep, workspace& ws) const {
        on([&](const auto& a) {
            const auto w = rounded(a);
            if (a.sums_once(how)) return a.template backward_with<T, T>(w, u, dout, du, gradient, how, keep, ws);
            scratch_scope scope(ws);
            const auto wide = copy(matrix_view<const T>(du), ws);
            a.template backward_with<S, T>(w, copy(u, ws), copy(dout, ws), wide, gradient, how, keep, ws);
            detail::convert<T, S>(wide, du);
        });
    }

private:
    template <class A>
    detail::projections<T> rounded(const A& a) const {
        const auto w = a.projections();
        const auto in = in_.view(), out = out_.view();
        require_shape("hrm::stored_adapter", "B as of the last set()", in.rows, in.cols, w.in.rows, w.in.cols);
        require_shape("hrm::stored_adapter", "C as of the last set()", out.rows, out.cols, w.out.rows, w.out.cols);
        return {in, out};
    }
    template <class F>
    void on(F&& f) const {
        std::visit([&](const auto* a) { f(*a); }, inside_);
    }
    static matrix_view<S> copy(matrix_view<const T> m, workspace& ws) {
        const auto x = ws.template take_matrix<S>(m.rows, m.cols);
        detail::convert<S, T>(m, x);
        return x;
    }

    std::variant<const lora<S>*, const recurrent_adapter<S>*> inside_;
    detail::stored_weights<T> in_, out_;
};

}  // namespace hrm
