/* QEMU's RISC-V virt machine with an RV32IMC core. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "virt-rv32"
#define EK_MACHINE_BOARD "qemu-virt-rv32"
#define EK_MACHINE_ID 0x52563332u /* "RV32" */

/* Machine time: 10 MHz. Instructions a tick: 100 ns / 256 ns = EK_TICK_FACTOR / 2^EK_TICK_SHIFT */
#define EK_TICKS_PER_US 10u
#define EK_TICK_FACTOR 25u
#define EK_TICK_SHIFT 6u

#endif
