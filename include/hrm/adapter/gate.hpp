#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <hrm/adapter/options.hpp>
#include <hrm/core/parameter.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// The gate of a recurrent adapter: its tensors inside the adapter's parameters, and what it multiplies by,
///     out_ti += token_t * channel_i * constant * y_ti.
/// Gates are never decayed: at 0 decay would hold them there. Their tensors' names all end in "gate".
template <real S>
class gate_part {
public:
    using set = parameter_set<S>;

    gate_part(set& p, gate kind, double start, index_t inputs, index_t outputs) : kind_(kind), frozen_(start) {
        if (kind == gate::scalar) value_ = p.add("gate", 1, 1, decay::no);
        if (kind == gate::per_channel) value_ = p.add("gate", outputs, 1, decay::no);
        if (kind == gate::token) {
            weight_ = p.add("token_gate", 1, inputs, decay::no);
            value_ = p.add("gate", 1, 1, decay::no);
        }
        if (value_ < 0) return;
        const double first = kind == gate::token ? std::log(start / (1 - start)) : start;
        const auto v = p[value_];
        std::fill_n(v.data, v.size(), static_cast<S>(first));
    }

    gate kind() const { return kind_; }
    /// How many tensors are its own: the set's first.
    index_t tensors() const { return value_ + 1; }
    /// Whether the output is exactly zero whatever the states are.
    bool shut(const set& p) const {
        if (kind_ == gate::token || kind_ == gate::none) return false;
        if (kind_ == gate::frozen) return frozen_ == 0;
        const auto v = p[value_];
        if (kind_ == gate::scalar) return v(0, 0) == S{0};
        return std::all_of(v.data, v.data + v.size(), [](S x) { return x == S{0}; });
    }
    /// The factor of every row and channel: 1 where the gate depends on either.
    S constant(const set& p) const {
        if (kind_ == gate::frozen) return static_cast<S>(frozen_);
        return kind_ == gate::scalar ? p[value_](0, 0) : S{1};
    }
    /// The factor of channel i, or null.
    const S* channels(const set& p) const { return kind_ == gate::per_channel ? p[value_].data : nullptr; }
    bool per_token() const { return kind_ == gate::token; }

    /// g_t = sigmoid(w u_t + b).
    [[gnu::noinline]] void tokens(const set& p, const matrix_view<const S>& u, S* g) const {
        const S* w = p[weight_].data;
        for (index_t t = 0; t < u.rows; ++t) g[t] = sigmoid(dot(w, u.row(t), u.cols) + p[value_](0, 0));
    }
    /// dw += sum e_t u_t,  db += sum e_t,  du_t += e_t w   with e_t = dg_t g_t (1 - g_t).   du may be empty.
    void tokens_backward(const set& p, matrix_view<const S> u, const S* g, const S* dg, matrix_view<S> du,
                         std::span<S> gradient) const {
        const S* w = p[weight_].data;
        S* dw = p.in(gradient, weight_).data;
        S& db = p.in(gradient, value_)(0, 0);
        for (index_t t = 0; t < u.rows; ++t) {
            const S e = dg[t] * g[t] * (S{1} - g[t]);
            axpy(e, u.row(t), dw, u.cols);
            if (!du.empty()) axpy(e, w, du.row(t), u.cols);
            db += e;
        }
    }
    /// Where a scalar or per-channel gate's gradient goes; null when it has none.
    S* gradient(const set& p, std::span<S> all) const {
        return kind_ == gate::scalar || kind_ == gate::per_channel ? p.in(all, value_).data : nullptr;
    }
    /// Factor of channel i in double; a token gate at u = 0.
    double at(const set& p, index_t channel) const {
        if (kind_ == gate::none) return 1;
        if (kind_ == gate::frozen) return frozen_;
        const auto v = p[value_];
        if (kind_ == gate::token) return 1 / (1 + std::exp(-static_cast<double>(v(0, 0))));
        return static_cast<double>(v(kind_ == gate::per_channel ? channel : 0, 0));
    }
    /// Root mean square of the factors: one number for a plot.
    double size(const set& p, index_t outputs) const {
        double sum = 0;
        for (index_t i = 0; i < outputs; ++i) sum += at(p, i) * at(p, i);
        return std::sqrt(sum / static_cast<double>(outputs));
    }

private:
    gate kind_;
    double frozen_;
    index_t value_ = -1, weight_ = -1;
};

}  // namespace hrm
