#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <hrm/adapter/reduce.hpp>
#include <hrm/train/checkpoint.hpp>
#include <hrm/train/parameter_list.hpp>

namespace hrm {

/// A run whose adapters were truncated between two steps.
template <real S>
struct training_reduction {
    adapter_set<S> adapters;
    snapshot state;                         ///< for a trainer of these adapters to restore
    std::vector<reduction_report> reports;  ///< one a member; one that was left alone has no sigma
};

namespace detail {

/// What the state of a run says of one adapter, moved to its truncation. Gradients move as the states do: with
/// s ~ t s_r, s_r = w^T s and the adjoint states lambda_r ~ t^T lambda,
///     dL/dC_r = sum dy s_r^T ~ (dL/dC) w,       dL/dB_r = sum lambda_r u^T ~ t^T scale^-1 (dL/dB),       dL/ds0_r ~ t^T (dL/ds0)
/// exactly so where what is cut off was idle, and first moments are averages of gradients. Second moments take the squares
/// of the same factors, as if the entries of a gradient were uncorrelated. Gates and D stay. The poles are new numbers,
/// mixed from all the old ones: their first moments start at zero, their second moments at the largest any old pole had, so
/// that their first steps are no longer than the last ones were.
template <real S>
void move_moments(const recurrent_adapter<S>& a, const reduction<S>& r, const std::string& prefix, snapshot& state) {
    const auto moments = [&](const char* which, const std::string& name) {
        return state.get<S>(std::string(which) + prefix + name);  // a copy: the entry is about to go
    };
    const auto squared = [](matrix<double> x) {
        for (auto& value : x.flat()) value *= value;
        return x;
    };
    const auto n = a.states(), fixed = a.shape().fixed, rank = r.order;
    const auto scale = a.input_scale();
    auto b_map = transpose(r.t);  // rank x n
    for (index_t i = 0; i < rank; ++i)
        for (index_t j = 0; j < n; ++j) {
            const double s = scale[static_cast<std::size_t>(j)];
            b_map(i, j) = s != 0 ? b_map(i, j) / s : 0;
        }
    const auto as = [](const matrix<S>& flat, index_t rows, index_t cols) {
        matrix<double> x(rows, cols);
        require_size("hrm::reduce_in_training", "a moment's size", flat.size(), x.size());
        std::copy(flat.flat().begin(), flat.flat().end(), x.flat().begin());
        return x;
    };
    const auto known = [](const std::string& name) { return name == "B" || name == "C" || name == "D" || name == "s0" || name.ends_with("gate"); };
    S largest = 0;
    for (const auto& e : a.parameters().entries())
        if (!known(e.name)) {
            const auto m = moments("moment2/", e.name);
            for (const S x : m.flat()) largest = std::max(largest, x);
        }

    snapshot next;
    for (const auto& e : r.adapter->parameters().entries()) {
        const auto& p = r.adapter->parameters();
        next.put<S>("parameter/" + prefix + e.name, p[p.find(e.name)]);
        for (const auto* which : {"moment1/", "moment2/"}) {
            const bool square = which[6] == '2';
            matrix<double> m(e.rows, e.cols);
            if (e.name == "B") m = product(square ? squared(b_map) : b_map, as(moments(which, "B"), n, e.cols));
            else if (e.name == "C") m = product(as(moments(which, "C"), e.rows, n), square ? squared(r.w) : r.w);
            else if (e.name == "s0") {
                const auto old = as(moments(which, "s0"), n - fixed, 1);
                for (index_t i = 0; i < rank; ++i)
                    for (index_t j = fixed; j < n; ++j) m(i, 0) += (square ? r.t(j, i) * r.t(j, i) : r.t(j, i)) * old(j - fixed, 0);
            } else if (known(e.name)) m = as(moments(which, e.name), e.rows, e.cols);
            else if (square) std::fill(m.flat().begin(), m.flat().end(), static_cast<double>(largest));
            matrix<S> row(1, e.size());
            std::transform(m.flat().begin(), m.flat().end(), row.flat().begin(), [](double x) { return static_cast<S>(x); });
            next.tensors[which + prefix + e.name] = std::move(row);
        }
    }
    for (const auto& e : a.parameters().entries())
        for (const auto* which : {"parameter/", "moment1/", "moment2/"}) state.tensors.erase(which + prefix + e.name);
    state.tensors.merge(next.tensors);
}

}  // namespace detail

/// Truncates adapters between two steps of their training, AdamW's moments with them, and training goes on:
///     auto cut = hrm::reduce_in_training(adapters, trainer.save(), {.tolerance = 0.01});
///     adapters = std::move(cut.adapters);
///     trainer<float> next(parameter_list<float>(adapters), options);
///     next.restore(cut.state);                       // the step, the schedule and the moments go on
/// Each recurrent adapter's output then moves by at most reports[i].bound times the norm of its input; one that would lose no
/// state, or is of another kind, is copied with its moments. Gates stay of their kind. state: that of a trainer of just
/// these adapters, under parameter_list's names; what else is in it stays. wc: as for reduce(). How the moments are moved is
/// a choice, told at detail::move_moments.  Throws numerical_error for an unstable adapter, error where state has no moments.
template <real S>
training_reduction<S> reduce_in_training(const adapter_set<S>& adapters, const snapshot& state, const balance_options& options = {},
                                         std::span<const matrix<double>> wc = {}) {
    if (!wc.empty())
        require_size("hrm::reduce_in_training", "Gramians", static_cast<index_t>(wc.size()), static_cast<index_t>(adapters.size()));
    training_reduction<S> out{{}, state, std::vector<reduction_report>(adapters.size())};
    for (std::size_t i = 0; i < adapters.size(); ++i) {
        const auto& at = adapters[i];
        if (const auto* a = dynamic_cast<const recurrent_adapter<S>*>(at.adapter.get())) {
            auto r = detail::truncate(*a, wc.empty() || wc[i].empty() ? nullptr : &wc[i], options, detail::constant_gate::kept);
            if (r.order < a->states()) {
                detail::move_moments(*a, r, parameter_list<S>::prefix(adapters, i), out.state);
                out.reports[i] = r;
                out.adapters.attach(at.layer, at.site, std::move(r.adapter));
                continue;
            }
        }
        out.adapters.attach(at.layer, at.site, at.adapter->clone());
    }
    return out;
}

}  // namespace hrm
