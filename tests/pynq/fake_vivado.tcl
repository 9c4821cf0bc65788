# Stands for Vivado: knows the commands of its Tcl (UG835) that a build may use, and nothing else.
# A command that is not one of them ends the script with an error, as there. Environment: FAKE_WNS
# (slack in ns), FAKE_WITHOUT (what is not written), FAKE_DATA (directory with design.bit, .hwh).
set script [lindex $argv end]
set wns 0.5
if {[info exists env(FAKE_WNS)]} {set wns $env(FAKE_WNS)}
set without none
if {[info exists env(FAKE_WITHOUT)]} {set without $env(FAKE_WITHOUT)}

foreach name {
    create_project add_files update_compile_order create_bd_design create_bd_cell
    create_bd_intf_port connect_bd_intf_net connect_bd_net assign_bd_address validate_bd_design
    save_bd_design generate_target set_property close_design open_run launch_runs
} {
    proc $name {args} {puts "CALL [info level 0]"; return [lindex $args end]}
}
foreach name {
    current_project current_fileset get_files get_bd_pins get_bd_intf_pins get_bd_addr_spaces
    get_bd_addr_segs get_runs get_timing_paths make_wrapper
} {
    proc $name {args} {return "$args"}
}
proc get_parts {args} {global without; if {$without eq "part"} {return {}}; return [lindex $args end]}
proc version {args} {return "2022.2"}
proc get_property {name object} {
    global wns without
    switch $name {
        PROGRESS {if {$without eq $object} {return "50%"}; return "100%"}
        STATUS {return "synth_design ERROR"}
        SLACK {if {[lsearch $object max] >= 0} {return $wns}; return 0.021}
    }
    error "no property $name"
}
proc wait_on_run {run} {puts "CALL wait_on_run $run"}
proc written {name text} {
    global without
    if {$without eq [file tail $name]} {return}
    set file [open $name w]
    puts $file $text
    close $file
}
proc report_timing_summary {option name} {written $name "timing"}
proc report_utilization {option name} {
    written $name "| Slice LUTs*                |  844 |     0 |          0 |     53200 |  1.59 |
| Slice Registers            | 1147 |     0 |          0 |    106400 |  1.08 |
| Block RAM Tile | 2.5 |     0 |          0 |       140 |  1.79 |
| DSPs           |    1 |     0 |          0 |       220 |  0.45 |"
}
proc report_power {option name} {
    written $name "| Dynamic (W)              | 1.312        |
| Device Static (W)        | 0.131        |"
}
proc write_hw_platform {args} {written [lindex $args end] "xsa"}
rename launch_runs plain_launch_runs
proc launch_runs {args} {
    global env without
    plain_launch_runs {*}$args
    if {[lsearch $args write_bitstream] >= 0} {
        file mkdir project/accelerator.runs/impl_1
        file mkdir project/accelerator.gen/sources_1/bd/design/hw_handoff
        file copy -force $env(FAKE_DATA)/design.bit project/accelerator.runs/impl_1/design_wrapper.bit
        if {$without ne "hwh"} {
            file copy -force $env(FAKE_DATA)/design.hwh \
                project/accelerator.gen/sources_1/bd/design/hw_handoff/design.hwh
        }
    }
}
proc unknown {name args} {puts "UNKNOWN COMMAND $name"; exit 99}
source $script
