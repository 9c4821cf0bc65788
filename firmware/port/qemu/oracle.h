/* What the emulator runs instead of the application when it is asked to count: raw inputs in,
 * outputs and instruction counts out. Asked for by a word that the emulator's loader places. */
#ifndef EK_ORACLE_H
#define EK_ORACLE_H

#include <stdint.h>

#define EK_ORACLE_MAGIC 0x4F43524Bu

/* Sends "EKOR", MODEL_INPUT_BYTES and MODEL_OUTPUT_BYTES (u32 LE); then, for each input received,
 * the output and the count of model_run (u64 LE). Does not return. */
__attribute__((noreturn)) void ek_oracle_main(void);

#endif
