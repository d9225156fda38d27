#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hrm/adapter/set.hpp>
#include <hrm/core/parameter.hpp>

namespace hrm {

/// What a run trains: tensors of one or several parameter sets, seen as one long vector. The sets stay where they are
/// and must outlive the list; their gradients lie one after the other in one flat buffer of size() elements, in the
/// order added (which is the layout of adapter_set's gradients).
///     parameter_list<float> train(adapters);      // or train(model.parameters())
///     train.only("gate");                         // the rest stands still
template <real S>
class parameter_list {
public:
    struct tensor {
        std::string name;
        parameter_set<S>* owner = nullptr;
        typename parameter_set<S>::handle handle = 0;
        index_t offset = 0;  ///< of its first element in the gradient
        double rate = 1;     ///< multiplies the learning rate; 0: frozen, and its gradient counts nowhere
        index_t size() const { return entry().size(); }
        const typename parameter_set<S>::entry& entry() const {
            return owner->entries()[static_cast<std::size_t>(handle)];
        }
        matrix_view<S> values() const { return (*owner)[handle]; }
        /// This tensor's part of a buffer laid out like the gradient.
        template <class T>
        std::span<T> in(std::span<T> flat) const {
            return flat.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size()));
        }
    };

    parameter_list() = default;
    explicit parameter_list(parameter_set<S>& set) { add("", set); }
    explicit parameter_list(adapter_set<S>& adapters) {
        for (std::size_t i = 0; i < adapters.size(); ++i) add(prefix(adapters, i), adapters[i].adapter->parameters());
    }
    /// What the names of a set's i-th adapter begin with: "3.1.q.".
    static std::string prefix(const adapter_set<S>& adapters, std::size_t i) {
        return std::to_string(i) + "." + std::to_string(adapters[i].layer) + "." + std::string(hrm::name(adapters[i].site)) + ".";
    }

    void add(const std::string& prefix, parameter_set<S>& set) {
        for (std::size_t i = 0; i < set.entries().size(); ++i)
            tensors_.push_back({prefix + set.entries()[i].name, &set, static_cast<index_t>(i),
                                size_ + set.entries()[i].offset, 1});
        size_ += set.size();
    }
    /// The learning-rate factor of every tensor whose name ends so. Throws error if there is none.
    void rate(std::string_view ending, double factor) {
        bool any = false;
        for (auto& t : tensors_)
            if (t.name.ends_with(ending)) t.rate = factor, any = true;
        if (!any) throw error("hrm::parameter_list: no tensor's name ends in \"" + std::string(ending) + "\"");
    }
    /// Freezes every tensor but those whose name ends so.
    void only(std::string_view ending) {
        for (auto& t : tensors_) t.rate = 0;
        rate(ending, 1);
    }

    const std::vector<tensor>& tensors() const { return tensors_; }
    /// Elements of the gradient, gaps included.
    index_t size() const { return size_; }
    /// Parameters that move.
    index_t count() const {
        index_t n = 0;
        for (const auto& t : tensors_)
            if (t.rate != 0) n += t.size();
        return n;
    }

private:
    std::vector<tensor> tensors_;
    index_t size_ = 0;
};

}  // namespace hrm
