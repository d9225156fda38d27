#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <hrm/adapter/gate.hpp>
#include <hrm/adapter/detail/readout.hpp>
#include <hrm/adapter/detail/remembered.hpp>
#include <hrm/adapter/detail/trajectory.hpp>
#include <hrm/adapter/poles.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// Whether gate and factor are part of the system that is asked for.
enum class output_gain { folded, left_out };

/// Everything recurrent adapters share, whatever A's parametrisation:
///     z_t = scale (.) B u_t,   s_t = Abar s_{t-1} + z_t,   out_t += gate * factor * (C s_t + D (.) u_t).
/// A kind says what Abar and scale are (in double) and takes their gradients. Forward 2 L n (inputs + outputs) flop
/// beside the scan; backward twice that.
template <real S>
class recurrent_adapter : public adapter<S> {
public:
    index_t inputs() const final { return shape_.inputs; }
    index_t outputs() const final { return shape_.outputs; }
    index_t state_size() const final { return shape_.dynamic(); }
    index_t states() const { return shape_.states(); }
    const recurrent_shape& shape() const { return shape_; }
    index_t reset_every() const { return reset_every_; }
    double factor() const { return factor_; }
    bool learns_initial_state() const { return s0_ >= 0; }
    const gate_part<S>& gating() const { return gate_; }
    /// The gate as one number: its value, the root mean square over channels, or a token gate at u = 0.
    double gate_value() const { return gate_.size(this->parameters_, outputs()); }

    void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>& how, kept<S>& keep,
                 workspace& ws) const final {
        forward_with<S, S>(projections(), u, out, how, keep, ws);
    }
    void backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du, std::span<S> gradient,
                  const call<S>& how, const kept<S>& keep, workspace& ws) const final {
        backward_with<S, S>(projections(), u, dout, du, gradient, how, keep, ws);
    }

    /// B and C among the parameters.
    detail::projections<S> projections() const { return {this->parameters_[b_], this->parameters_[c_]}; }
    /// Whether every sum into out and du is one product, so that they may be stored in bf16.
    bool sums_once(const call<S>&) const { return !gate_.per_token() && d_ < 0; }
    /// Whether one number is all that stands between C s_t and the output, and that number.
    bool one_gain() const { return !gate_.per_token() && gate_.kind() != gate::per_channel && d_ < 0; }
    S gain() const { return static_cast<S>(factor_) * gate_.constant(this->parameters_); }
    /// forward and backward with B and C in P, u and out in T; T = S unless sums_once. What only some adapters and longer calls need is in
    /// functions of its own (gates for tokens and channels, documents, slabs): beside it, a short call would find no register free.
    template <storable T, storable P>
    [[gnu::always_inline]] void forward_with(const detail::projections<P>& w, const matrix_view<const T>& u, const matrix_view<T>& out,
                                             const call<S>& how, kept<S>& keep, workspace& ws) const {
        check("out", u, out);
        const bool training = how.mode == pass::training;
        const bool silent = gate_.shut(this->parameters_) || factor_ == 0;
        if (silent && !training && !how.carried) return;
        const auto before = ws.mark();
        const auto s = ws.template take_matrix<S>(u.rows, states());
        matrix_view<S> initial, tokens;
        index_t* fresh = nullptr;
        if (training) {
            initial = ws.template take_matrix<S>(1, state_size());
            fresh = ws.template take<index_t>(1 + segment_walk<S>::most(u.rows, how, reset_every_)).data();
        }
        if constexpr (std::same_as<S, T>)
            if (gate_.per_token()) {
                tokens = ws.template take_matrix<S>(u.rows, 1);
                gate_.tokens(this->parameters_, u, tokens.data);
            }
        const auto scratch = ws.mark();
        const auto last = run<T, P>(w.in, u, how, equation(evaluated(ws)), s, initial.data, fresh, ws);
        if (!silent && one_gain()) detail::project_out<S, T, P>(s, w.out, gain(), out, ws, how.threads);
        else if (!silent) readout<T, P>(w.out, tokens.data, how.threads).forward(s, u, out, ws);
        if (how.carried) {
            auto& value = how.carried->value;
            if (value.empty()) value.resize(static_cast<std::size_t>(state_size()));
            if (last.state != value.data()) std::copy_n(last.state, state_size(), value.data());
            how.carried->position = last.position;
        }
        if (training) keep = {{s, initial, tokens}, fresh};
        ws.release(training ? scratch : before);
    }
    template <storable T, storable P>
    [[gnu::always_inline]] void backward_with(const detail::projections<P>& w, const matrix_view<const T>& u, const matrix_view<const T>& dout,
                                              const matrix_view<T>& du, std::span<S> gradient, const call<S>& how, const kept<S>& keep,
                                              workspace& ws) const {
        check("dout", u, dout);
        if (!du.empty()) require_shape("hrm::adapter", "du", du.rows, du.cols, u.rows, inputs());
        scratch_scope scope(ws);
        const auto& [s, initial, tokens, none, no_more, at_all] = keep.m;
        const auto& p = this->parameters_;
        const auto n = static_cast<std::size_t>(states());

        // Read-out: lambda starts as C^T dout_t, and g times that is dL/ds_t. Recurrence, from the end: it becomes scale (.) dL/dz_t.
        const auto lambda = ws.template take_matrix<S>(u.rows, states());
        const auto sums = ws.template take_zero<double>(shape_.coefficients() + states());
        const auto da = sums.first(sums.size() - n), inner = sums.last(n);
        const auto running = ws.template take_zero<S>(state_size());
        const auto* const numbers = evaluated(ws);
        const auto by = equation(numbers);
        detail::adjoint_trajectory<S> past{by, s, initial.data, static_cast<const index_t*>(keep.more), gain(), lambda,
                                           da.data(), inner, s0_ < 0 ? nullptr : p.in(gradient, s0_).data, running.data()};
        const bool at_rest = past.at_rest();
        if (one_gain() && u.rows <= detail::slab) {
            detail::output_backward<S, T, P>(dout, w.out, s, gain(), p.in(gradient, c_), S{1}, lambda, ws, how.threads);
            past.retreat(0, u.rows);
        } else read_out_backward<T, P>(w.out, s, tokens, u, dout, du, gradient, lambda, past, how.threads, ws);
        if (shape_.full) past.finish(ws);
        if (gate_.kind() == gate::scalar)
            gate_.gradient(p, gradient)[0] +=
                static_cast<S>(static_cast<double>(static_cast<S>(factor_)) * sum_of(inner));

        // Input, x = B u:   dB += (scale (.) lambda)^T u,   du += (scale (.) lambda) B.
        // scale (.) dscale = sum_t scale (.) lambda_t (.) x_t, though x is not kept. From rest that is g times the inner products above, since
        // sum <lambda_t, scale (.) x_t> and g sum <e_t, s_t> are one product with the recurrence between; else the rows of B times those of
        // this dB, because what the first state leaves in the inner products would cancel.
        detail::input_backward<S, T, P>(lambda, u, w.in, p.in(gradient, b_), du, ws, how.threads, at_rest ? nullptr : inner.data());
        const double g = static_cast<double>(past.g);  // read in the loop, g++ would gather it
        if (at_rest)
            for (double& x : inner) x *= g;
        transition_backward({slopes_behind(numbers), poles()}, da, inner, gradient);
    }

    /// The trajectory of the states, L x n, for inputs u as this call would see them. Nothing is advanced.
    void fill_states(matrix_view<const S> u, const call<S>& how, matrix_view<S> s, workspace& ws) const {
        require_shape("hrm::adapter", "u", u.rows, u.cols, u.rows, inputs());
        require_shape("hrm::adapter", "the states", s.rows, s.cols, u.rows, states());
        scratch_scope scope(ws);
        const auto by = equation(evaluated(ws));
        run<S, S>(projections().in, u, how, by, s, nullptr, nullptr, ws);
    }

    /// The exact system u -> out in double. folded: gate and factor inside C and D, a token gate with its value at
    /// u = 0. Throws error where A is dense: dense_system() is for that.
    discrete<complex_pairs<double>> system(output_gain how = output_gain::folded) const {
        if (shape_.full) throw error("hrm::adapter: A is dense, expected poles; dense_system() holds for both");
        std::vector<double> flat(static_cast<std::size_t>(shape_.coefficients()));
        discrete<complex_pairs<double>> out;
        in_and_out(out, flat, how);
        const auto q = flat.begin() + shape_.reals, k = q + shape_.pairs;
        out.a.real.assign(static_cast<std::size_t>(shape_.fixed), 0.0);
        out.a.real.insert(out.a.real.end(), flat.begin(), q);
        out.a.re.assign(q, k);
        out.a.im.assign(k, flat.end());
        return out;
    }
    /// The same with A as a matrix, whatever its structure.
    discrete<dense<double>> dense_system(output_gain how = output_gain::folded) const {
        if (!shape_.full) {
            auto planar = system(how);
            return {{to_dense(planar.a)}, std::move(planar.b), std::move(planar.c), std::move(planar.d)};
        }
        std::vector<double> flat(static_cast<std::size_t>(shape_.coefficients()));
        discrete<dense<double>> out;
        in_and_out(out, flat, how);
        out.a.a = matrix<double>(states(), states());
        for (index_t i = 0; i < shape_.full; ++i)
            for (index_t j = 0; j < shape_.full; ++j)
                out.a.a(shape_.fixed + i, shape_.fixed + j) = flat[static_cast<std::size_t>(i * shape_.full + j)];
        return out;
    }
    /// Tokens after which a state has decayed by e, -1 / log |Abar|, for each of the n states: 0 for static ones.
    virtual std::vector<double> memory_lengths() const {
        const auto a = system().a;
        std::vector<double> out;
        for (const double x : a.real) out.push_back(-1 / std::log(std::abs(x)));
        for (int plane = 0; plane < 2; ++plane)
            for (std::size_t i = 0; i < a.re.size(); ++i) out.push_back(-1 / std::log(std::hypot(a.re[i], a.im[i])));
        return out;
    }
    /// What multiplies every row of the tensor B in the system's B.
    std::vector<double> input_scale() const {
        std::vector<double> flat(static_cast<std::size_t>(shape_.coefficients())), scale(static_cast<std::size_t>(states()));
        std::vector<pole> all(static_cast<std::size_t>(poles()));
        transition(flat, scale, all);
        return scale;
    }
    /// The initial state of every document, all n states; zero where none is learned.
    std::vector<double> initial_state() const {
        std::vector<double> s(static_cast<std::size_t>(states()), 0.0);
        if (s0_ >= 0)
            for (index_t i = 0; i < state_size(); ++i)
                s[static_cast<std::size_t>(shape_.fixed + i)] = static_cast<double>(this->parameters_[s0_](i, 0));
        return s;
    }

protected:
    recurrent_adapter(recurrent_shape shape, gate kind, double gate_start, double factor, index_t reset_every)
        : shape_(shape), gate_(this->parameters_, kind, gate_start, shape.inputs, shape.outputs), factor_(factor),
          reset_every_(reset_every) {}
    /// B, C and the optional D and s_0, after the kind's own tensors.
    void add_projections(bool feedthrough, bool initial) {
        auto& p = this->parameters_;
        b_ = p.add("B", states(), inputs(), decay::yes);
        c_ = p.add("C", outputs(), states(), decay::yes);
        if (feedthrough) d_ = p.add("D", outputs(), 1, decay::yes);
        if (initial && state_size() > 0) s0_ = p.add("s0", state_size(), 1, decay::no);
        else at_rest_.resize(static_cast<std::size_t>(state_size()));
        number_bytes_ = detail::remembered::padded((shape_.coefficients() + states()) * index_t{sizeof(S)});
        if (poles() == 0) return;
        const auto offset = [&](index_t h) { return p.entries()[static_cast<std::size_t>(h)].offset; };
        own_ = offset(gate_.tensors());
        slope_bytes_ = detail::remembered::padded((shape_.pairs > 0 ? 6 : 4) * poles() * index_t{sizeof(double)});
        remembered_ = detail::remembered((offset(b_) - own_) * index_t{sizeof(S)}, number_bytes_ + slope_bytes_);
    }

    /// A's numbers (shape_.coefficients()) and the factor of every row of B (n; 1 for states without a pole), from the
    /// parameters; on the way the poles, real ones first.
    virtual void transition(std::span<double> flat, std::span<double> scale, std::span<pole> all) const = 0;
    /// gradient += what dflat and scale (.) dscale say of the kind's own tensors, given the derivatives of the poles that transition found.
    virtual void transition_backward(const pole_slopes& of, std::span<const double> dflat, std::span<const double> dlog_scale,
                                     std::span<S> gradient) const = 0;
    index_t poles() const { return shape_.reals + shape_.pairs; }

    recurrent_shape shape_;
    gate_part<S> gate_;
    index_t b_ = -1, c_ = -1, d_ = -1, s0_ = -1;

private:
    /// By eight sums that need not wait for each other.
    static double sum_of(std::span<const double> x) {
        constexpr std::size_t many = 8;
        double part[many] = {};
        std::size_t i = 0;
        for (; i + many <= x.size(); i += many)
            for (std::size_t j = 0; j < many; ++j) part[j] += x[i + j];
        for (; i < x.size(); ++i) part[i % many] += x[i];
        return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
    }
    template <class U, class V>
    void check(const char* what, matrix_view<U> u, matrix_view<V> out) const {
        require_shape("hrm::adapter", "u", u.rows, u.cols, u.rows, inputs());
        require_shape("hrm::adapter", what, out.rows, out.cols, u.rows, outputs());
    }
    /// numbers: Abar's, and behind them the factor of every row of B, rounded to S.
    detail::state_equation<S> equation(const S* numbers) const {
        return {shape_, numbers, numbers + shape_.coefficients(), s0_ < 0 ? at_rest_.data() : this->parameters_[s0_].data};
    }
    /// The kind's own tensors, which lie between the gate's and B.
    const S* own_parameters() const { return this->parameters_.flat().data() + own_; }
    /// What is remembered of them: Abar and scale rounded to S, and behind them the poles' derivatives. There is room in scratch in any
    /// case: that they were found remembered does not make the next call take more.
    const S* evaluated(workspace& ws) const {
        S* const room = reinterpret_cast<S*>(ws.template take<std::byte>(number_bytes_ + slope_bytes_).data());
        if (slope_bytes_ > 0)
            if (const auto* const value = remembered_.recall(own_parameters())) return reinterpret_cast<const S*>(value);
        evaluate(room, ws);
        return room;
    }
    const double* slopes_behind(const S* numbers) const {
        return reinterpret_cast<const double*>(reinterpret_cast<const std::byte*>(numbers) + number_bytes_);
    }
    /// Evaluates the poles anew, and remembers them.
    [[gnu::noinline]] void evaluate(S* numbers, workspace& ws) const {
        scratch_scope scope(ws);
        double* const slopes = reinterpret_cast<double*>(reinterpret_cast<std::byte*>(numbers) + number_bytes_);
        const auto flat = ws.template take<double>(shape_.coefficients()), scale = ws.template take<double>(states());
        const auto all = ws.template take<pole>(poles());
        transition(flat, scale, all);
        S* const rounded_scale = std::transform(flat.begin(), flat.end(), numbers, [](double x) { return static_cast<S>(x); });
        std::transform(scale.begin(), scale.end(), rounded_scale, [](double x) { return static_cast<S>(x); });
        for (int j = 0; j < 2; ++j)
            for (std::size_t i = 0; i < all.size(); ++i) {
                double* const to = slopes + static_cast<std::size_t>(j) * all.size() + i;
                to[0] = all[i].d_re[j];
                to[2 * all.size()] = all[i].scale != 0 ? all[i].d_scale[j] / all[i].scale : 0;
                if (shape_.pairs > 0) to[4 * all.size()] = all[i].d_im[j];
            }
        if (!all.empty()) remembered_.store(own_parameters(), numbers);
    }
    /// The state after the last row, where it lies, and how far into the document that is.
    struct stand {
        const S* state;
        index_t position;
    };
    /// All states of one call. initial and fresh: what a backward needs beside them, null: not wanted.
    template <storable T, storable P>
    stand run(const detail::weights<P>& b, const matrix_view<const T>& u, const call<S>& how, const detail::state_equation<S>& by,
              const matrix_view<S>& s, S* initial, index_t* fresh, workspace& ws) const {
        if (!how.starts.empty() || reset_every_ > 0 || u.rows > detail::slab) return walk<T, P>(b, u, how, by, s, initial, fresh, ws);
        const bool carried = how.carried && !how.carried->value.empty();
        // One stretch of a few rows: a walk over it would take longer than its states.
        if (carried) require_carried(*how.carried);
        const S* const before = carried ? how.carried->value.data() : by.start;
        if (fresh && carried) fresh[0] = 0, std::copy_n(before, state_size(), initial);
        else if (fresh) fresh[0] = 1, fresh[1] = 0;
        detail::project_in<S, T, P>(u, b, s, ws, how.threads);
        return {by.forward(s, before), (how.carried ? how.carried->position : 0) + u.rows};
    }
    template <storable T, storable P>
    [[gnu::noinline]] stand walk(const detail::weights<P>& b, const matrix_view<const T>& u, const call<S>& how, const detail::state_equation<S>& by,
                                 const matrix_view<S>& s, S* initial, index_t* fresh, workspace& ws) const {
        const bool carried = how.carried && !how.carried->value.empty();
        detail::trajectory<S> now{by, s, {u.rows, how, reset_every_}, carried ? how.carried->value.data() : by.start, initial, fresh};
        if (carried) require_carried(*how.carried);
        if (fresh) fresh[0] = 0;
        detail::project_in<S, T, P>(u, b, s, ws, how.threads, [&](index_t first, index_t rows) { now.advance(first, rows); });
        return {now.state, now.segments.position()};
    }
    void require_carried(const adapter_state<S>& state) const {
        require_size("hrm::adapter", "the carried state", static_cast<index_t>(state.value.size()), state_size());
    }

    /// The adjoint of the read-out and, behind it, of the states, whatever stands between them and the output.
    template <storable T, storable P>
    [[gnu::noinline]] void read_out_backward(const detail::weights<P>& c, const matrix_view<const S>& s, const matrix_view<S>& tokens,
                                             const matrix_view<const T>& u, const matrix_view<const T>& dout, const matrix_view<T>& du,
                                             std::span<S> gradient, const matrix_view<S>& lambda, detail::adjoint_trajectory<S>& past,
                                             team* threads, workspace& ws) const {
        const auto dtokens = ws.template take<S>(tokens.rows);
        readout<T, P>(c, tokens.data, threads).backward(s, u, dout, lambda, du, dtokens.data(), readout_gradient(gradient), ws,
                                                        [&](index_t first, index_t rows) { past.retreat(first, rows); });
        if constexpr (std::same_as<S, T>)
            if (gate_.per_token()) gate_.tokens_backward(this->parameters_, u, tokens.data, dtokens.data(), du, gradient);
    }
    template <storable T, storable P>
    detail::readout<S, T, P> readout(const detail::weights<P>& c, const S* tokens, team* threads) const {
        const auto& p = this->parameters_;
        return {c, d_ < 0 ? nullptr : p[d_].data, static_cast<S>(factor_), gate_.constant(p), gate_.channels(p),
                gate_.per_token() ? tokens : nullptr, threads};
    }
    detail::readout_gradient<S> readout_gradient(std::span<S> all) const {
        const auto& p = this->parameters_;
        return {p.in(all, c_), d_ < 0 ? nullptr : p.in(all, d_).data, gate_.gradient(p, all)};
    }

    template <class A>
    void in_and_out(discrete<A>& out, std::span<double> flat, output_gain how) const {
        const auto& p = this->parameters_;
        std::vector<double> scale(static_cast<std::size_t>(states()));
        std::vector<pole> all(static_cast<std::size_t>(poles()));
        transition(flat, scale, all);
        const auto b = p[b_], c = p[c_];
        out.b = matrix<double>(states(), inputs());
        for (index_t i = 0; i < states(); ++i)
            for (index_t j = 0; j < inputs(); ++j)
                out.b(i, j) = scale[static_cast<std::size_t>(i)] * static_cast<double>(b(i, j));
        out.c = matrix<double>(outputs(), states());
        if (d_ >= 0) out.d = matrix<double>(outputs(), inputs());
        for (index_t i = 0; i < outputs(); ++i) {
            const double g = how == output_gain::folded ? factor_ * gate_.at(p, i) : 1;
            for (index_t j = 0; j < states(); ++j) out.c(i, j) = g * static_cast<double>(c(i, j));
            if (d_ >= 0) out.d(i, i) = g * static_cast<double>(p[d_](i, 0));
        }
    }

    double factor_;
    index_t reset_every_;
    index_t own_ = 0;                              ///< where the kind's own tensors begin
    index_t number_bytes_ = 0, slope_bytes_ = 0;   ///< whole lines of a cache
    buffer<S> at_rest_;  ///< what a document starts from where that is not learned: zeros
    mutable detail::remembered remembered_;
};

}  // namespace hrm
