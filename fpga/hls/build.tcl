# vitis_hls -f build.tcl (or vivado_hls -f build.tcl): C simulation against the vectors of
# input.hex and expected.hex, synthesis, and an IP core for Vivado in ek_model/solution/impl/ip.
set part xc7z020clg400-1
set period_ns 10
set folder [file dirname [file normalize [info script]]]
set flags "-std=c++14 -DEK_VENDOR_TYPES"

open_project -reset ek_model
set_top ek_model
add_files "$folder/model.cpp" -cflags $flags
add_files -tb "$folder/testbench.cpp" -cflags $flags
add_files -tb "$folder/input.hex"
add_files -tb "$folder/expected.hex"
open_solution -reset solution
set_part $part
create_clock -period $period_ns
csim_design
csynth_design
export_design -format ip_catalog
exit
