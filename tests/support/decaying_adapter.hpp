#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include <hrm/adapter/adapter.hpp>
#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>

// A third kind of adapter, written by somebody who knows nothing of models: a low-rank map with one common pole,
//     s_t = p s_{t-1} + B u_t,    out_t += C s_t,    p = tanh(pole)
namespace hrm::testing {

template <real S>
class decaying_adapter : public adapter<S> {
public:
    decaying_adapter(index_t inputs, index_t outputs, index_t rank, random_stream& random) : inputs_(inputs), outputs_(outputs) {
        pole_ = this->parameters_.add("pole", 1, 1, decay::no);
        b_ = this->parameters_.add("B", rank, inputs, decay::yes);
        c_ = this->parameters_.add("C", outputs, rank, decay::yes);
        auto& p = this->parameters_;
        p[pole_](0, 0) = S(0.6);
        for (auto& x : std::span(p[b_].data, static_cast<std::size_t>(p[b_].size()))) x = static_cast<S>(0.3 * random.normal());
        for (auto& x : std::span(p[c_].data, static_cast<std::size_t>(p[c_].size()))) x = static_cast<S>(0.3 * random.normal());
    }
    /// C = 0: an adapter that adds exactly nothing.
    void silence() { std::fill_n(this->parameters_[c_].data, this->parameters_[c_].size(), S{0}); }

    std::string_view kind() const override { return "decaying"; }
    index_t inputs() const override { return inputs_; }
    index_t outputs() const override { return outputs_; }
    index_t state_size() const override { return rank(); }
    std::unique_ptr<adapter<S>> clone() const override { return std::make_unique<decaying_adapter>(*this); }
    std::vector<std::pair<std::string, std::string>> options() const override { return {{"rank", std::to_string(rank())}}; }

    void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>& how, kept<S>& keep, workspace& ws) const override {
        const auto& w = this->parameters_;
        const auto mark = ws.mark();
        const auto s = ws.take_matrix<S>(u.rows, rank());
        multiply(u, transposed(w[b_]), s);
        const S pole = std::tanh(w[pole_](0, 0));
        for (index_t t = 0; t < u.rows; ++t)
            for (index_t i = 0; i < rank(); ++i) s(t, i) += pole * before(s, t, i, how);
        multiply(s, transposed(w[c_]), out, into::add);
        if (how.carried) {
            how.carried->value.assign(s.row(u.rows - 1), s.row(u.rows - 1) + rank());
            how.carried->position += u.rows;
        }
        if (how.mode == pass::training) keep.m[0] = s;
        else ws.release(mark);
    }

    void backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du, std::span<S> gradient,
                  const call<S>& how, const kept<S>& keep, workspace& ws) const override {
        const auto& w = this->parameters_;
        const auto s = keep.m[0];
        const S pole = std::tanh(w[pole_](0, 0));
        scratch_scope scope(ws);
        const auto ds = ws.take_matrix<S>(u.rows, rank());
        multiply(dout, w[c_], ds);
        multiply(transposed(dout), s, w.in(gradient, c_), into::add);
        S dpole{0};
        for (index_t t = u.rows - 1; t >= 0; --t)
            for (index_t i = 0; i < rank(); ++i) {
                if (t + 1 < u.rows && !fresh(t + 1, how)) ds(t, i) += pole * ds(t + 1, i);
                if (t > 0 && !fresh(t, how)) dpole += ds(t, i) * s(t - 1, i);
            }
        w.in(gradient, pole_)(0, 0) += dpole * (S{1} - pole * pole);
        multiply(transposed(ds), u, w.in(gradient, b_), into::add);
        if (!du.empty()) multiply(ds, w[b_], du, into::add);
    }

private:
    index_t rank() const { return this->parameters_[b_].rows; }
    static bool fresh(index_t t, const call<S>& how) { return std::find(how.starts.begin(), how.starts.end(), t) != how.starts.end(); }
    S before(matrix_view<S> s, index_t t, index_t i, const call<S>& how) const {
        if (fresh(t, how)) return 0;
        if (t > 0) return s(t - 1, i);
        return how.carried && !how.carried->value.empty() ? how.carried->value[static_cast<std::size_t>(i)] : S{0};
    }
    index_t inputs_, outputs_;
    typename parameter_set<S>::handle pole_, b_, c_;
};

}  // namespace hrm::testing
