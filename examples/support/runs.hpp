#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hrm/io/huggingface.hpp>

#include "adapt.hpp"
#include "checks.hpp"
#include "contestants.hpp"
#include "measure.hpp"
#include "texts.hpp"

// One training run of one contestant as a line of JSON: what sweep and compare collect, and go on from.

namespace hrm::examples {

struct arena {
    transformer<float> base;
    corpus train, validation, test;
    std::string text;
};

struct run_result {
    std::string name, label, key;
    double rate = 0, validation = 0, test = 0, seconds_per_1000_tokens = 0;
    std::uint64_t seed = 0;
    index_t parameters = 0, steps = 0, batch = 0, length = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(run_result, name, label, key, rate, validation, test, seconds_per_1000_tokens, seed, parameters, steps, batch, length)

/// Sixteen hexadecimal digits of all that decides a result beside budget and rate: the texts, the base model, and every
/// adapter's place, kind and options.
inline std::string fingerprint(const arena& a, const std::vector<contestant>& all) {
    std::uint64_t h = detail::hash("");
    const auto add = [&](std::string_view bytes) { h = detail::hash({"\0", 1}, detail::hash(bytes, h)); };
    for (const auto* part : {&a.train, &a.validation, &a.test})
        for (index_t d = 0; d < part->size(); ++d) add((*part)[d].bytes);
    const auto weights = a.base.parameters().flat();
    add(config_text(a.base.config()));
    add({reinterpret_cast<const char*>(weights.data()), weights.size_bytes()});
    for (const auto& who : all)
        for (const auto& one : build(who, a.base.config(), 0)) {
            add(std::to_string(one.layer) + " " + std::string(hrm::name(one.site)) + " " + std::string(one.adapter->kind()));
            for (const auto& [name, text] : one.adapter->options()) add(name + " " + text);
        }
    return print("%016llx", static_cast<unsigned long long>(h));
}

/// The lines of a file of results; a run that is in it is not done again. A line without a key, of another program, stays
/// in the file but stands for no run.
class run_log {
public:
    explicit run_log(std::string path) : path_(std::move(path)) {
        require_place(path_);
        if (!std::filesystem::exists(path_)) return;
        const auto all = read_text(path_);
        int number = 0;
        for (std::size_t at = 0; at < all.size();) {
            const auto end = std::min(all.find('\n', at), all.size());
            ++number;
            if (end > at) try {
                    auto line = nlohmann::json::parse(all.substr(at, end - at));
                    if (line.is_object() && !line.contains("key")) line["key"] = "";
                    list_.push_back(line.get<run_result>());
                } catch (const nlohmann::json::exception&) {
                    throw io_error("hrm: " + path_ + ": line " + std::to_string(number) + " is no result of a run; --out FILE writes elsewhere");
                }
            at = end + 1;
        }
    }
    const run_result* find(const std::string& name, const std::string& key, double rate, const budget& b) const {
        for (const auto& r : list_)
            if (r.name == name && r.key == key && r.rate == rate && r.seed == b.seed && r.steps == b.steps && r.batch == b.batch &&
                r.length == b.length)
                return &r;
        return nullptr;
    }
    void add(const run_result& r) {
        list_.push_back(r);
        std::string all;
        for (const auto& one : list_) all += nlohmann::json(one).dump() + "\n";
        write_atomically(path_, std::as_bytes(std::span(all)));
    }

private:
    std::string path_;
    std::vector<run_result> list_;
};

/// Trains one contestant, measures it on validation and test data; nothing if a signal came.
inline std::optional<run_result> run(const arena& a, const contestant& who, double rate, const budget& b, run_log& log) {
    const auto key = fingerprint(a, {who});
    if (const auto* done = log.find(who.name, key, rate, b)) return *done;
    auto adapters = build(who, a.base.config(), b.seed);
    const auto learned = adapt(a.base, adapters, a.train, b, rate, print("%-24s lr %-7.2g seed %d", who.name.c_str(), rate, static_cast<int>(b.seed)));
    if (!learned) return std::nullopt;
    team workers(cpu{.threads = b.threads});
    const auto validation = measure(a.base, adapters, a.validation, workers), test = measure(a.base, adapters, a.test, workers);
    run_result r{who.name, who.label, key, rate, validation.bits, test.bits, learned->seconds_per_1000_tokens, b.seed, adapters.count(), b.steps, b.batch, b.length};
    log.add(r);
    return r;
}

}  // namespace hrm::examples
