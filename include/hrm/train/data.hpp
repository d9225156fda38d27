#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/parallel.hpp>
#include <hrm/core/random.hpp>
#include <hrm/train/loss.hpp>

namespace hrm {

/// A text: its name (a path, usually) and its bytes, which are the tokens.
struct document {
    std::string name;
    std::string bytes;
};

/// Tokens [offset, offset + length) of a document predict [offset + 1, offset + length + 1).
struct crop {
    index_t document = 0, offset = 0, length = 0;
};

/// Documents to learn from or to be judged by. Empty ones and single bytes, which predict nothing, are left out.
class corpus {
public:
    /// Throws error if nothing is left: "hrm::corpus: none of 3 documents has 2 bytes or more".
    explicit corpus(std::vector<hrm::document> documents) {
        const auto given = documents.size();
        std::erase_if(documents, [](const auto& d) { return d.bytes.size() < 2; });
        if (documents.empty())
            throw error("hrm::corpus: none of " + std::to_string(given) + " documents has 2 bytes or more");
        list_ = std::move(documents);
        for (const auto& d : list_) ends_.push_back(targets() + static_cast<index_t>(d.bytes.size()) - 1);
    }
    index_t size() const { return static_cast<index_t>(list_.size()); }
    const hrm::document& operator[](index_t i) const { return list_[static_cast<std::size_t>(i)]; }
    /// Bytes that can be predicted: all but the first of each document.
    index_t targets() const { return ends_.empty() ? 0 : ends_.back(); }
    /// The document that holds target number t, counted through the corpus.
    index_t owner(index_t t) const { return std::upper_bound(ends_.begin(), ends_.end(), t) - ends_.begin(); }

    /// The crop's tokens and, one further on, its targets. Throws shape_error if the corpus does not hold them.
    void read(crop c, std::vector<std::int32_t>& tokens, std::vector<std::int32_t>& targets) const {
        if (c.document < 0 || c.document >= size() || c.offset < 0 || c.length < 0)
            throw shape_error("hrm::corpus: " + std::to_string(c.length) + " tokens from " + std::to_string(c.offset) + " of document " +
                              std::to_string(c.document) + ", of " + std::to_string(size()) + " documents");
        const auto& bytes = (*this)[c.document].bytes;
        require_size("hrm::corpus", "length of " + (*this)[c.document].name,
                     std::min(static_cast<index_t>(bytes.size()), c.offset + c.length + 1), c.offset + c.length + 1);
        tokens.resize(static_cast<std::size_t>(c.length));
        targets.resize(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            tokens[i] = static_cast<unsigned char>(bytes[static_cast<std::size_t>(c.offset) + i]);
            targets[i] = static_cast<unsigned char>(bytes[static_cast<std::size_t>(c.offset) + i + 1]);
        }
    }
    /// Every document cut into crops of at most so many tokens, each target once, in order.
    std::vector<crop> pieces(index_t longest) const {
        if (longest < 1) throw error("hrm::corpus: pieces of " + std::to_string(longest) + " tokens, expected 1 or more");
        std::vector<crop> all;
        for (index_t d = 0; d < size(); ++d)
            for (index_t at = 0, n = static_cast<index_t>((*this)[d].bytes.size()) - 1; at < n; at += longest)
                all.push_back({d, at, std::min(longest, n - at)});
        return all;
    }

private:
    std::vector<hrm::document> list_;
    std::vector<index_t> ends_;
};

struct split_documents {
    std::vector<document> train, validation;
};

/// Sets whole documents aside, in an order the seed draws, until they hold the fraction of all bytes; at least one, and
/// at least one stays. No document is in both. Throws error for fewer than two documents.
inline split_documents split(std::vector<document> documents, double fraction, std::uint64_t seed) {
    if (documents.size() < 2)
        throw error("hrm::split: " + std::to_string(documents.size()) + " documents, expected 2 or more");
    double all = 0, aside = 0;
    for (const auto& d : documents) all += static_cast<double>(d.bytes.size());
    random_stream random(seed, 0x73706c6974);
    for (auto i = static_cast<index_t>(documents.size()) - 1; i > 0; --i)
        std::swap(documents[static_cast<std::size_t>(i)], documents[static_cast<std::size_t>(random.below(i + 1))]);
    split_documents out;
    for (auto& d : documents) {
        const bool last = out.train.empty() && &d == &documents.back();
        if (!last && (out.validation.empty() || aside < fraction * all)) {
            aside += static_cast<double>(d.bytes.size());
            out.validation.push_back(std::move(d));
        } else
            out.train.push_back(std::move(d));
    }
    return out;
}

/// One long document cut in two: the last fraction of its bytes is for validation.
inline split_documents split_tail(document whole, double fraction) {
    if (!(fraction > 0 && fraction < 1))
        throw error("hrm::split_tail: a fraction of " + std::to_string(fraction) + ", expected between 0 and 1");
    const auto n = whole.bytes.size();
    const auto tail = static_cast<std::size_t>(fraction * static_cast<double>(n));
    if (tail < 2 || n - tail < 2)
        throw error("hrm::split_tail: " + whole.name + " has " + std::to_string(n) + " bytes, " +
                    std::to_string(tail) + " for validation, expected 2 or more on either side");
    split_documents out;
    out.validation.push_back({whole.name + " (tail)", whole.bytes.substr(n - tail)});
    whole.bytes.resize(n - tail);
    out.train.push_back(std::move(whole));
    return out;
}

/// Which bytes item i of step t sees: a function of (seed, t, i) and nothing else, so that a resumed run goes on with
/// the same data. A document is drawn by its number of targets, then a place in it at which length + 1 bytes fit; a
/// shorter document is taken whole.
class sampler {
public:
    sampler(const corpus& from, index_t length, std::uint64_t seed) : from_(&from), length_(length), seed_(seed) {
        if (length < 1) throw error("hrm::sampler: length " + std::to_string(length) + ", expected 1 or more");
    }
    sampler(corpus&&, index_t, std::uint64_t) = delete;  // the text must outlive its sampler
    hrm::crop crop(index_t step, index_t item) const {
        random_stream random(seed_, (std::uint64_t{0x64617461} << 32) + static_cast<std::uint64_t>(step));
        random.seek(2 * static_cast<std::uint64_t>(item));
        const index_t document = from_->owner(random.below(from_->targets()));
        const index_t n = static_cast<index_t>((*from_)[document].bytes.size()) - 1;
        const index_t length = std::min(length_, n);
        return {document, random.below(n - length + 1), length};
    }

private:
    const corpus* from_;
    index_t length_;
    std::uint64_t seed_;
};

/// The score of a whole corpus, every target once: nats_of(tokens, targets, worker) for each piece of at most `longest`
/// tokens, shared among the team, summed in order. Context does not reach over the border of a piece.
template <class F>
score evaluate(const corpus& over, index_t longest, team& workers, F&& nats_of) {
    const auto pieces = over.pieces(longest);
    std::vector<double> nats(pieces.size());
    workers.run(static_cast<index_t>(pieces.size()), [&](index_t i, int worker) {
        std::vector<std::int32_t> tokens, targets;
        over.read(pieces[static_cast<std::size_t>(i)], tokens, targets);
        nats[static_cast<std::size_t>(i)] =
            nats_of(std::span<const std::int32_t>(tokens), std::span<const std::int32_t>(targets), worker);
    });
    score total{0, over.targets()};
    for (const double x : nats) total.nats += x;
    return total;
}

}  // namespace hrm
