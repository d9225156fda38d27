#pragma once

// Files: safetensors, checkpoints, adapters, Hugging Face folders. Everything here needs nlohmann_json beside <hrm/hrm.hpp>.

#include <hrm/io/checkpoint.hpp>
#include <hrm/io/checkpoint_folder.hpp>
#include <hrm/io/dtype.hpp>
#include <hrm/io/file.hpp>
#include <hrm/io/huggingface.hpp>
#include <hrm/io/safetensors.hpp>
