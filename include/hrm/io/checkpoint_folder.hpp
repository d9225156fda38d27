#pragma once

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include <hrm/core/error.hpp>
#include <hrm/io/checkpoint.hpp>

namespace hrm {

/// The last two checkpoints of one run, in a folder of their own.
///     checkpoint_folder run("build/run");
///     if (auto s = run.load()) trainer.restore(*s);
///     run.save(s);                        // any time; killed at any moment, load() still finds a whole checkpoint
/// A new checkpoint is written and on the disk before the old ones move: last becomes previous, the new one last. So a
/// full disk, a kill or a power cut costs at most the work since the last save.
class checkpoint_folder {
public:
    /// Makes the folder if need be. Throws io_error if it cannot be.
    explicit checkpoint_folder(std::string path) : path_(std::move(path)) {
        std::error_code why;
        std::filesystem::create_directories(path_, why);
        if (why) throw io_error("hrm::checkpoint_folder: " + path_ + ": " + why.message());
        // What a killed writer left half way.
        for (const auto& entry : std::filesystem::directory_iterator(path_, why))
            if (entry.path().filename().string().starts_with("next.safetensors.tmp-"))
                std::filesystem::remove(entry.path(), why);
    }
    std::string last() const { return path_ + "/last.safetensors"; }
    std::string previous() const { return path_ + "/previous.safetensors"; }

    /// Throws io_error, with the checkpoints as they were, if the new one cannot be written.
    void save(const snapshot& s) const {
        save_checkpoint(next(), s);
        if (file_exists(last())) move(last(), previous());
        move(next(), last());
    }
    /// The newest whole checkpoint; nothing in a new folder. That is the next one where a kill came before it was moved.
    /// A damaged one is passed over, and damage() says so; throws io_error when there are checkpoints and none is whole.
    std::optional<snapshot> load() {
        damage_.clear();
        for (const auto& path : {next(), last(), previous()}) {
            if (!file_exists(path)) continue;
            try {
                return load_checkpoint(path);
            } catch (const io_error& e) {
                damage_ += (damage_.empty() ? "" : "; ") + std::string(e.what());
            }
        }
        if (!damage_.empty()) throw io_error(damage_);
        return std::nullopt;
    }
    /// What the last load() had to pass over; empty if nothing.
    const std::string& damage() const { return damage_; }

private:
    std::string next() const { return path_ + "/next.safetensors"; }
    static void move(const std::string& from, const std::string& to) {
        if (std::rename(from.c_str(), to.c_str()) != 0) detail::throw_errno("hrm::checkpoint_folder", to, errno);
    }
    std::string path_, damage_;
};

}  // namespace hrm
