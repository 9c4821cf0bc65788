/* Between the port that the machines of QEMU share and each machine.
 *
 * QEMU runs with `-icount shift=8`: an instruction is 256 ns of its virtual time, several ticks of
 * any machine's timer, so the count of a window between two reads is exact. machine.h says how many
 * microseconds and instructions a tick is. */
#ifndef EK_EMULATED_H
#define EK_EMULATED_H

#include <stdint.h>

#define EK_INSTRUCTION_NS 256u

/* The machine's timer: counts up, modulo 2^32. */
uint32_t ek_port_ticks(void);

/* Instructions in the time between two reads of the timer. */
uint32_t ek_port_instructions(uint32_t ticks);

/* Turns the serial port on, with an interrupt that ends a wait. */
void ek_machine_start(void);

/* Whether a received byte can be read. */
uint32_t ek_machine_has_byte(void);

/* Sleeps until a byte arrives or the time has passed, or earlier: WFI with interrupts masked wakes
 * on a pending one. */
void ek_machine_wait_us(uint32_t us);

#endif
