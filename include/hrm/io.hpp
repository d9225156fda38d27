#pragma once

// Files: safetensors, checkpoints, adapters, Hugging Face and PEFT folders, Matrix Market. All of it needs nlohmann_json.

#include <hrm/io/adapter_file.hpp>
#include <hrm/io/checkpoint.hpp>
#include <hrm/io/checkpoint_folder.hpp>
#include <hrm/io/dtype.hpp>
#include <hrm/io/file.hpp>
#include <hrm/io/huggingface.hpp>
#include <hrm/io/matrix_market.hpp>
#include <hrm/io/peft.hpp>
#include <hrm/io/safetensors.hpp>

// Not in it, for it needs matio:  #include <hrm/io/matlab.hpp>
