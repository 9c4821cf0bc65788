/* What the emulator runs instead of the application when it is asked to count: raw inputs in,
 * outputs and instruction counts out. Asked for by a word that the emulator's loader places.
 *
 * QEMU runs with `-icount shift=8`: an instruction is 256 ns of its virtual time, several ticks of
 * any board's timer, so the count of a window between two reads is exact. */
#ifndef EK_ORACLE_H
#define EK_ORACLE_H

#include <stdint.h>

#define EK_ORACLE_MAGIC 0x4F43524Bu
#define EK_INSTRUCTION_NS 256u

/* Instructions in the time between two reads of the port's timer, less than 2^32 ticks apart. */
uint32_t ek_port_instructions(uint32_t ticks);

/* The port's timer: counts up, modulo 2^32. */
uint32_t ek_port_ticks(void);

/* Sends "EKOR", MODEL_INPUT_BYTES and MODEL_OUTPUT_BYTES (u32 LE); then, for each input received,
 * the output and the count of model_run (u64 LE). Does not return. */
__attribute__((noreturn)) void ek_oracle_main(void);

#endif
