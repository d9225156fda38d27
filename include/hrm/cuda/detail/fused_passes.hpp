#pragma once

#include <hrm/cuda/detail/across_tile.hpp>
#include <hrm/cuda/detail/adapter_passes.hpp>
#include <hrm/cuda/detail/adjoint_tile.hpp>
#include <hrm/cuda/detail/down_tile.hpp>
#include <hrm/cuda/detail/up_tile.hpp>

namespace hrm::detail {

/// The states from the local ones and the carries: in S for whoever wants them, in T for the product that follows.
template <storable T>
struct write_tiles {
    tile_cut cut;
    carried_on on;
    rows_of<const float> local;
    rows_of<float> states, final;  ///< rows x n, batch x dynamic; or null
    rows_of<T> narrow;             ///< rows x padded

    index_t count() const { return cut.batch * cut.time * cut.padded; }
    HRM_BOTH void operator()(index_t i) const {
        const index_t row = i / cut.padded, j = i % cut.padded, sequence = row / cut.time, t = row % cut.time;
        const float s = on(local(row, j), sequence * cut.tiles() + t / cut.length, t % cut.length, j);
        narrow(row, j) = T(s);
        if (states && j < cut.states()) states(row, j) = s;
        if (final && t == cut.time - 1 && j >= cut.fixed && j < cut.states()) final(sequence, j - cut.fixed) = s;
    }
};

/// The states in T, with zeros up to whole tiles.
template <storable T>
struct pad_states {
    rows_of<const float> from;
    rows_of<T> to;
    index_t states, padded;
    HRM_BOTH void operator()(index_t i) const {
        const index_t row = i / padded, j = i % padded;
        to(row, j) = T(j < states ? from(row, j) : 0.f);
    }
};

/// An adapter's passes by tiles: u is read once, out is read and written once. Device also launches tiles (tiles.hpp).
template <class Tiles, class Device>
class fused_passes {
public:
    using T = typename Tiles::T;
    using weights = folded_weights<T, Device>;

    /// length: steps of a tile, 128 or 32; 0: by the number of tokens alone, so that a GPU has enough tiles.
    fused_passes(Device device, const adapter_layout& l, scan::shape most, index_t length = 0)
        : device_(std::move(device)), layout_(l), most_(most), length_(length > 0 ? length : usual_length(most)),
          local_(device_, most.batch * most.time * l.padded()), ends_(device_, cut(most.time, false).count() * l.padded()),
          begun_(device_, 2 * most.batch * l.dynamic()), g_(device_, slabs(l.outputs) * most.batch * most.time * l.padded()),
          m_(device_, std::max(room(l.outputs), room(l.inputs))), da_(device_, l.dynamic()),
          carried_(device_, cut(most.time, false).count() * l.padded()), parts_(device_, 2 * cut(most.time, false).count() * l.dynamic()),
          narrow_(device_, most.batch * most.time * l.padded()), gradients_(device_, l) {
        if (l.padded() > 64) throw shape_error("hrm::fused_adapter_plan: " + std::to_string(l.states()) + " states, expected at most 64");
        require_whole("inputs", l.inputs), require_whole("outputs", l.outputs);
    }

    /// As adapter_passes::forward; rows of u and out begin on 16 bytes.
    void forward(const weights& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<float> states, matrix_view<const float> initial,
                 matrix_view<float> final) {
        check(w, "u", u, u.rows, layout_.inputs), check(w, "out", matrix_view<const T>(out), u.rows, layout_.outputs);
        if (!states.empty()) require_shape("hrm::fused_adapter_plan", "states", states.rows, states.cols, u.rows, layout_.states());
        border("initial", initial), border("final", matrix_view<const float>(final));
        initial = begin(w, initial);
        if (u.rows == 0) {
            copy_border<float>(device_, initial, final);
            return;
        }
        const tile_cut c = cut(u.rows / most_.batch, false);
        by_width([&]<int padded>() {
            const auto launch = [&]<int WR, int WK>() {
                device_.launch_tiles(down_tile<Tiles, padded, WR, WK>{c, layout_.inputs, w.poles(), u, w.whole_b(), local(), ends()});
            };
            if (length_ == longest_tile) launch.template operator()<8, 1>();
            else launch.template operator()<2, 128 / 16 / static_cast<int>(sizeof(T)) / 2>();
            states_of(w, c, initial, states, final);
            device_.launch_tiles(up_tile<Tiles, padded, true>{u.rows, layout_.outputs, narrow().reading(), w.whole_c(), out});
        });
    }

    /// As adapter_passes::backward. dout and u are read once, du is read and written once.
    void backward(const weights& w, matrix_view<const T> u, matrix_view<const T> dout, matrix_view<const float> states, matrix_view<T> du,
                  std::span<float> gradient, matrix_view<const float> initial, matrix_view<float> dinitial, matrix_view<const float> dfinal) {
        check(w, "u", u, u.rows, layout_.inputs), check(w, "dout", dout, u.rows, layout_.outputs);
        if (!du.empty()) check(w, "du", matrix_view<const T>(du), u.rows, layout_.inputs);
        require_shape("hrm::fused_adapter_plan", "states", states.rows, states.cols, u.rows, layout_.states());
        border("initial", initial), border("dinitial", matrix_view<const float>(dinitial)), border("dfinal", dfinal);
        const auto& l = w.layout();
        require_size("hrm::fused_adapter_plan", "the gradient", static_cast<index_t>(gradient.size()), l.size);
        const bool learned = l.s0 >= 0 && initial.empty();
        if (learned && dinitial.empty()) dinitial = {begun_.data() + most_.batch * l.dynamic(), most_.batch, l.dynamic()};
        initial = begin(w, initial);
        device_.launch(l.dynamic(), fill_zero<float>{da_.data()});
        if (u.rows == 0) {
            copy_border<float>(device_, dfinal, dinitial);
        } else {
            const index_t tokens = u.rows;
            const tile_cut c = cut(tokens / most_.batch, true);
            by_width([&]<int padded>() {
                device_.launch(tokens * padded, pad_states<T>{states, narrow(), l.states(), padded});
                sum_over_tokens<padded, true>(dout, w.whole_c(), gradients_.m(), false);
                gradients_.of_outputs(w, gradient);
                device_.launch_tiles(gather_adjoint<padded>{c, slabs(l.outputs), w.poles(), g_.data(), dfinal, local(), ends()});
                const tile_carries carries{c, w.poles(), ends().reading(), {}, carried(), dinitial};
                device_.launch_blocks(carries.count(), carries.shared_bytes(), carries);
                const rows_of<double> parts(parts_.data(), l.dynamic()), spare(parts_.data() + c.count() * l.dynamic(), l.dynamic());
                device_.launch_tiles(spread_adjoint<T>{c, {c, w.powers(), carried().reading()}, local().reading(), states, initial, narrow(), parts});
                if (l.dynamic() > 0) add_rows(device_, parts, spare, c.count(), l.dynamic(), da_.data());
                sum_over_tokens<padded, false>(u, {}, gradients_.n(), true);
                gradients_.of_inputs(w, da_.data(), gradient);
                if (!du.empty()) device_.launch_tiles(up_tile<Tiles, padded, false>{tokens, l.inputs, narrow().reading(), w.whole_b(), du});
            });
        }
        if (learned) device_.launch(l.dynamic(), add_to_gradient<float, float>{matrix_view<const float>(dinitial), gradient.data() + l.s0, most_.batch});
    }

private:
    static constexpr index_t slab = across_tile<Tiles, 16, false>::slab;
    static index_t slabs(index_t columns) { return (columns + slab - 1) / slab; }
    index_t ranges(index_t tokens, index_t columns) const { return across_tile<Tiles, 16, false>::ranges_for(tokens, columns); }
    index_t room(index_t columns) const { return ranges(most_.batch * most_.time, columns) * slabs(columns) * slab * layout_.padded(); }

    /// to = X^T S, or turned, S being what narrow() holds; with a C also G = X C, by slabs, in g_.
    template <int padded, bool gather>
    void sum_over_tokens(matrix_view<const T> x, matrix_view<const T> c, matrix_view<float> to, bool turned) {
        const index_t parts = ranges(x.rows, x.cols);
        device_.launch_tiles(across_tile<Tiles, padded, gather>{x.rows, x.cols, parts, x, narrow().reading(), c, m_.data(), g_.data()});
        const add_ranges add{m_.data(), to, x.cols, layout_.states(), padded, parts, slabs(x.cols) * slab * padded, turned};
        device_.launch(add.count(), add);
    }
    matrix_view<const float> begin(const weights& w, matrix_view<const float> initial) {
        if (!initial.empty() || layout_.s0 < 0) return initial;
        const matrix_view<float> all(begun_.data(), most_.batch, layout_.dynamic());
        w.begin(all);
        return all;
    }
    void border(const char* what, matrix_view<const float> m) const {
        if (!m.empty()) require_shape("hrm::fused_adapter_plan", what, m.rows, m.cols, most_.batch, layout_.dynamic());
    }
    static index_t usual_length(scan::shape most) { return most.batch * ((most.time + longest_tile - 1) / longest_tile) >= 128 ? longest_tile : 32; }
    tile_cut cut(index_t time, bool adjoint) const { return tile_cut::of(layout_, most_.batch, time, length_, adjoint); }
    rows_of<float> local() { return {local_.data(), layout_.padded()}; }
    rows_of<float> ends() { return {ends_.data(), layout_.padded()}; }
    rows_of<double> carried() { return {carried_.data(), layout_.padded()}; }
    rows_of<T> narrow() { return {narrow_.data(), layout_.padded()}; }

    template <class F>
    void by_width(const F& f) const {
        if (layout_.padded() == 16) f.template operator()<16>();
        if (layout_.padded() == 32) f.template operator()<32>();
        if (layout_.padded() == 64) f.template operator()<64>();
    }
    void states_of(const weights& w, const tile_cut& c, matrix_view<const float> initial, matrix_view<float> states, matrix_view<float> final) {
        const tile_carries carries{c, w.poles(), ends().reading(), initial, carried(), {}};
        device_.launch_blocks(carries.count(), carries.shared_bytes(), carries);
        const write_tiles<T> write{c, {c, w.powers(), carried().reading()}, local().reading(), states, final, narrow()};
        device_.launch(write.count(), write);
    }
    void require_whole(const char* what, index_t count) const {
        if (count % fetched<T> != 0)
            throw shape_error("hrm::fused_adapter_plan: " + std::to_string(count) + " " + what + ", expected a multiple of " + std::to_string(fetched<T>));
    }
    void check(const weights& w, const char* what, matrix_view<const T> m, index_t rows, index_t cols) const {
        const auto& l = w.layout();
        if (!w.ready()) throw error("hrm::fused_adapter_plan: the weights were never set");
        require_shape("hrm::fused_adapter_plan", "the layer", l.outputs, l.inputs, layout_.outputs, layout_.inputs);
        require_size("hrm::fused_adapter_plan", "static states", l.fixed, layout_.fixed);
        require_size("hrm::fused_adapter_plan", "real poles", l.reals, layout_.reals);
        require_size("hrm::fused_adapter_plan", "pairs", l.pairs, layout_.pairs);
        require_shape("hrm::fused_adapter_plan", what, m.rows, m.cols, rows, cols);
        if (m.rows % most_.batch != 0 || m.rows > most_.batch * most_.time)
            throw shape_error("hrm::fused_adapter_plan: " + std::string(what) + " has " + std::to_string(m.rows) + " rows, expected a multiple of " +
                              std::to_string(most_.batch) + " up to " + std::to_string(most_.batch * most_.time));
        const auto place = reinterpret_cast<std::size_t>(m.data) % 16;
        if (place != 0) throw shape_error("hrm::fused_adapter_plan: " + std::string(what) + " begins " + std::to_string(place) + " bytes after a border of 16, expected 0");
        require_whole("numbers from row to row", m.stride);
    }

    Device device_;
    adapter_layout layout_;
    scan::shape most_;
    index_t length_;
    work_area<Device, float> local_, ends_, begun_, g_, m_, da_;
    work_area<Device, double> carried_, parts_;
    work_area<Device, T> narrow_;
    adapter_gradients<float, Device> gradients_;
};

}  // namespace hrm::detail
