/* What a board provides to the link and the application. Polled: a port enables no interrupt
 * handler; it waits by WFI with interrupts masked, which wakes on a pending interrupt. */
#ifndef EK_PORT_H
#define EK_PORT_H

#include <stdint.h>

/* Data that a reset leaves as it was; the port's linker script has the section. */
#ifndef EK_NOINIT
#define EK_NOINIT __attribute__((section(".noinit")))
#endif

/* Clocks, serial port, mark pin and cycle counter. Called once, first. */
void ek_port_init(void);

/* The time base that keeps running in sleep; may wait for an oscillator. Called once, after the
 * cold-start inference, so that it does not count. */
void ek_port_start_time(void);

/* Microseconds from the reset vector to the return of ek_port_init; 0 when unknown. */
uint32_t ek_port_boot_us(void);

/* The next received byte, or -1 when there is none. */
int32_t ek_port_read(void);

/* Sends n bytes; returns when the last one is in the transmitter. */
void ek_port_write(const uint8_t *data, uint32_t n);

/* Returns when the last bit has left. */
void ek_port_flush(void);

/* Sleeps with the serial port alive until a byte arrives (returns 0) or about two seconds have
 * passed without one (returns 1). */
int32_t ek_port_idle(void);

/* Sleeps as deep as the operating point allows until ek_port_time_us() >= t_us. Bytes that arrive
 * meanwhile may be lost. */
void ek_port_sleep_until(uint64_t t_us);

/* Core cycles, modulo 2^32; stops while asleep. */
uint32_t ek_port_cycles(void);

/* Microseconds since ek_port_start_time, in sleep too. */
uint64_t ek_port_time_us(void);

/* The pin that a power meter watches: 1 during an inference. */
void ek_port_mark(uint32_t on);

/* Received bytes lost because nobody read them in time. */
uint32_t ek_port_overruns(void);

uint32_t ek_port_kind(void);         /* EK_KIND_HARDWARE or EK_KIND_VIRTUAL */
uint32_t ek_port_device_id(void);    /* the chip's own identity word */
uint32_t ek_port_clock_hz(void);     /* core clock */
uint32_t ek_port_baud(void);         /* of the serial port */
uint32_t ek_port_boot_count(void);   /* starts since the power came, from 1 */
uint32_t ek_port_reset_reason(void); /* EK_RESET_... */
void ek_port_uid(uint8_t uid[16]);
const char *ek_port_board(void); /* at most 23 characters */

/* Restarts the device; does not return on a real one. */
void ek_port_reset(void);

/* RAM that the image does not use, kept over a reset: at least 4-byte aligned. */
uint8_t *ek_port_store(uint32_t *bytes);

/* The application: called by the port's reset code, never returns on a board. */
void ek_app_main(void);

#endif
