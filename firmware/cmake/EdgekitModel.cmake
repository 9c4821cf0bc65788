# edgekit_add_model(TARGET <target> MODEL <file> BOARD <board> [EDGEKIT <program>])
# edgekit_add_model(TARGET <target> SOURCES <directory>)
#
# Makes the library <target>_model from a neural network and links it to <target>, which then
# includes "model.h": model_input(), model_run(), model_output().
#
# The first form runs `edgekit compile`, again whenever the model file changes. The second takes a
# directory that `edgekit compile` has written before, and needs nothing of edgekit.

# What every edgekit source is compiled with. Two roundings must stay two: no contraction.
function(edgekit_compile_options target)
  set_target_properties(${target} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE -ffreestanding -ffp-contract=off -ffunction-sections
                                             -fdata-sections -Wall -Wextra -Wpedantic)
  endif()
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fno-tree-coalesce-vars)
  endif()
endfunction()

# Set <out> to the directory that `edgekit compile` wrote.
function(_edgekit_compile model board program out)
  execute_process(
    COMMAND "${program}" compile "${model}" --board "${board}" --work
            "${CMAKE_CURRENT_BINARY_DIR}/edgekit" --json
    OUTPUT_VARIABLE answer
    ERROR_VARIABLE problem
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "edgekit compile ${model} ended with ${status}:\n${answer}${problem}")
  endif()
  string(JSON directory GET "${answer}" directory)
  set(${out} "${directory}" PARENT_SCOPE)
endfunction()

function(edgekit_add_model)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET;MODEL;BOARD;EDGEKIT;SOURCES" "")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_TARGET)
    message(FATAL_ERROR "edgekit_add_model: TARGET <target> and MODEL <file> BOARD <board>, or "
                        "SOURCES <directory>, are wanted; found: ${ARGN}")
  endif()
  if(arg_SOURCES)
    get_filename_component(directory "${arg_SOURCES}" ABSOLUTE)
  elseif(arg_MODEL AND arg_BOARD)
    get_filename_component(model "${arg_MODEL}" ABSOLUTE)
    if(NOT arg_EDGEKIT)
      find_program(EDGEKIT_PROGRAM edgekit REQUIRED)
      set(arg_EDGEKIT "${EDGEKIT_PROGRAM}")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${model}")
    _edgekit_compile("${model}" "${arg_BOARD}" "${arg_EDGEKIT}" directory)
  else()
    message(FATAL_ERROR "edgekit_add_model(${arg_TARGET}): MODEL and BOARD, or SOURCES, are wanted")
  endif()

  # Sets EDGEKIT_MODEL_SOURCES, EDGEKIT_MODEL_KERNELS and EDGEKIT_ROUNDINGS_<kernel>.
  include("${directory}/model/model.cmake")
  set(library "${arg_TARGET}_model")
  list(TRANSFORM EDGEKIT_MODEL_SOURCES PREPEND "${directory}/model/" OUTPUT_VARIABLE sources)
  add_library(${library} STATIC ${sources})
  foreach(kernel IN LISTS EDGEKIT_MODEL_KERNELS)
    set(source "${directory}/firmware/kernels/${kernel}.c")
    target_sources(${library} PRIVATE "${source}")
    set_source_files_properties("${source}" PROPERTIES COMPILE_DEFINITIONS
                                "EK_ROUNDINGS=${EDGEKIT_ROUNDINGS_${kernel}}U")
  endforeach()
  target_include_directories(
    ${library}
    PUBLIC "${directory}/model"
    PRIVATE "${directory}/firmware/include")
  edgekit_compile_options(${library})
  target_link_libraries(${arg_TARGET} PRIVATE ${library})
endfunction()
