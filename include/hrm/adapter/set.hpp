#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <vector>

#include <hrm/adapter/adapter.hpp>
#include <hrm/adapter/site.hpp>

namespace hrm {

/// All adapters of one model: which kind sits at which site of which layer. The model stays frozen and apart; a set is
/// handed to its forward. One gradient buffer serves the set: adapter i owns elements [offset(i), offset(i) + size).
template <class S>
class adapter_set {
    static_assert(real<S>, "hrm::adapter_set: a set is of float or double, the numbers a model computes in; bf16 stores a model's frozen weights "
                           "(hrm::transformer<float, hrm::bf16>), or one adapter that is called by itself (hrm::stored_adapter)");

public:
    struct attachment {
        index_t layer = 0;
        hrm::site site = site::mlp_input;
        std::unique_ptr<hrm::adapter<S>> adapter;
        index_t offset = 0;
    };

    adapter_set() = default;
    adapter_set(adapter_set&&) = default;
    adapter_set& operator=(adapter_set&&) = default;
    adapter_set clone() const {
        adapter_set copy;
        for (const auto& a : list_) copy.attach(a.layer, a.site, a.adapter->clone());
        return copy;
    }

    void attach(index_t layer, hrm::site where, std::unique_ptr<hrm::adapter<S>> a) {
        const auto n = a->parameters().size();
        list_.push_back({layer, where, std::move(a), size_});
        size_ += n;
    }
    template <class T>
        requires(!std::convertible_to<T*, hrm::adapter<S>*>)
    void attach(index_t, hrm::site, std::unique_ptr<T>) {
        static_assert(real<T>, "hrm::adapter_set: only an hrm::adapter of the set's own numbers can be attached; hrm::stored_adapter (bf16) is called by "
                               "itself, not by a model");
    }
    /// f(index, const adapter&) for each adapter at this place, in the order attached.
    template <class F>
    void at(index_t layer, hrm::site where, F&& f) const {
        for (std::size_t i = 0; i < list_.size(); ++i)
            if (list_[i].layer == layer && list_[i].site == where) f(i, *list_[i].adapter);
    }
    bool any_at(index_t layer, hrm::site where) const {
        for (const auto& a : list_)
            if (a.layer == layer && a.site == where) return true;
        return false;
    }
    std::size_t size() const { return list_.size(); }
    bool empty() const { return list_.empty(); }
    attachment& operator[](std::size_t i) { return list_[i]; }
    const attachment& operator[](std::size_t i) const { return list_[i]; }
    auto begin() { return list_.begin(); }
    auto end() { return list_.end(); }
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }

    /// Elements of the set's gradient buffer.
    index_t gradient_size() const { return size_; }
    std::span<S> gradient_of(std::size_t i, std::span<S> all) const {
        return all.subspan(static_cast<std::size_t>(list_[i].offset),
                           static_cast<std::size_t>(list_[i].adapter->parameters().size()));
    }
    /// Trainable parameters: the number a paper prints.
    index_t count() const {
        index_t n = 0;
        for (const auto& a : list_) n += a.adapter->parameters().count();
        return n;
    }

private:
    std::vector<attachment> list_;
    index_t size_ = 0;
};

/// The carried states of a set, one a member: a plain value, copied to fork, assigned to roll back.
template <real S>
using adapter_states = std::vector<adapter_state<S>>;

}  // namespace hrm
