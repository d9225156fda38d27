#pragma once

#include <hrm/cuda/detail/adapter_layout.hpp>
#include <hrm/cuda/detail/chunked_states.hpp>

// What surrounds the products of an adapter on a device, each a plain function of an index, the same on host and device.
//
// The gains are folded into the weights once, when the parameters are set:
//     b_ij = scale_i B_ij,    c_ij = k h_i C_ij        rounded once to T, the type of u and out
// so that a pass knows nothing of gates and normalisations, and the gradients come from two sums that it forms anyway:
//     M = dout^T s:       dC_ij += k h_i M_ij,     dh_i += factor <M_i, C_i>,    k's likewise, summed over i
//     N = lambda^T u:     dB_ij += scale_i N_ij,   dscale_i = <B_i, N_i>

namespace hrm::detail {

/// Poles as the scan lays them out, [real | re | im], and the factor of every row of B. One index a state and pole.
template <real S>
struct set_poles {
    adapter_layout l;
    const S* p;
    S* poles;
    double* scale;

    index_t count() const { return l.fixed + l.poles(); }
    HRM_BOTH void operator()(index_t i) const {
        if (i < l.fixed) {
            scale[i] = 1;
            return;
        }
        const index_t k = i - l.fixed;
        const auto a = l.pole_at(p, k);
        poles[k] = static_cast<S>(a.re);
        scale[i] = a.scale;
        if (k < l.reals) return;
        poles[k + l.pairs] = static_cast<S>(a.im);
        scale[i + l.pairs] = a.scale;
    }
};

/// b and c in T, filled up with zeros to `padded` states, so that tiles are whole: padded x inputs, outputs x padded.
template <storable T, real S>
struct fold_gains {
    adapter_layout l;
    const S* p;
    const double* scale;
    T *b, *c;

    index_t count() const { return l.padded() * (l.inputs + l.outputs); }
    HRM_BOTH void operator()(index_t at) const {
        const index_t first = l.padded() * l.inputs;
        if (at < first) {
            const index_t i = at / l.inputs;
            b[at] = narrowed<T>(i < l.states() ? scale[i] * static_cast<double>(p[l.b + at]) : 0);
            return;
        }
        const index_t i = (at - first) / l.padded(), j = (at - first) % l.padded();
        c[at - first] = narrowed<T>(j < l.states() ? l.gain(p, i) * static_cast<double>(p[l.c + i * l.states() + j]) : 0);
    }
};

template <class From, class To>
struct convert_rows {
    rows_of<const From> from;
    rows_of<To> to;
    index_t cols;
    HRM_BOTH void operator()(index_t i) const { to(i / cols, i % cols) = To(from(i / cols, i % cols)); }
};
/// Every row the same; zeros where there is nothing to repeat.
template <real S>
struct repeat_row {
    const S* from;
    rows_of<S> to;
    index_t cols;
    HRM_BOTH void operator()(index_t i) const { to(i / cols, i % cols) = from ? from[i % cols] : S{0}; }
};

/// dB, and the terms of <B_i, N_i> in `lanes` sums: one index a state and lane, neighbours on neighbouring columns.
template <real S>
struct input_gradient {
    static constexpr index_t lanes = 64;
    adapter_layout l;
    const S* p;
    const double* scale;
    rows_of<const S> n;    ///< states x inputs
    S* gradient;
    rows_of<double> sums;  ///< lanes x states

    index_t count() const { return l.states() * lanes; }
    HRM_BOTH void operator()(index_t at) const {
        const index_t i = at / lanes, lane = at % lanes;
        double sum = 0;
        for (index_t j = lane; j < l.inputs; j += lanes) {
            const index_t place = l.b + i * l.inputs + j;
            const auto x = static_cast<double>(n(i, j));
            gradient[place] += static_cast<S>(scale[i] * x);
            sum += x * static_cast<double>(p[place]);
        }
        sums(lane, i) = sum;
    }
};

/// dC, a channel's gate, or the terms of the scalar gate in `sums`. One index an output.
template <real S>
struct output_gradient {
    adapter_layout l;
    const S* p;
    rows_of<const S> m;    ///< outputs x states
    S* gradient;
    rows_of<double> sums;  ///< outputs x 1

    HRM_BOTH void operator()(index_t i) const {
        const double gain = l.gain(p, i);
        double sum = 0;
        for (index_t j = 0; j < l.states(); ++j) {
            const index_t place = l.c + i * l.states() + j;
            const auto x = static_cast<double>(m(i, j));
            gradient[place] += static_cast<S>(gain * x);
            sum += x * static_cast<double>(p[place]);
        }
        if (l.per_channel) gradient[l.gate + i] += static_cast<S>(l.factor * sum);
        else sums(i, 0) = l.factor * sum;
    }
};

/// From dA (as scan::plan gives it) and dscale to the poles' own parameters. One index a pole.
template <real S>
struct pole_gradient {
    adapter_layout l;
    const S* p;
    const S* da;
    rows_of<const double> dscale;  ///< `rows` terms a state
    index_t rows;
    S* gradient;

    HRM_BOTH double of_scale(index_t state) const {
        double sum = 0;
        for (index_t r = 0; r < rows; ++r) sum += dscale(r, state);
        return sum;
    }
    HRM_BOTH void operator()(index_t i) const {
        const bool in_pair = i >= l.reals;
        const auto a = l.pole_at(p, i);
        const double dre = static_cast<double>(da[i]), dim = in_pair ? static_cast<double>(da[i + l.pairs]) : 0;
        const double ds = of_scale(l.fixed + i) + (in_pair ? of_scale(l.fixed + i + l.pairs) : 0);
        for (int j = 0; j < 2; ++j) {
            const index_t at = in_pair ? l.pair_at[j] : l.real_at[j];
            if (at >= 0) gradient[at + (in_pair ? i - l.reals : i)] += static_cast<S>(a.d_re[j] * dre + a.d_im[j] * dim + a.d_scale[j] * ds);
        }
    }
};

}  // namespace hrm::detail
