/* What a chip gives to the port that all STM32 share.
 *
 * registers.h of the chip, included by this file's users, defines UART_BASE, UART_IRQ,
 * UART_BRR_OF(baud), LPTIM_BASE, LPTIM_IRQ, LPTIM_HAS_DIEROK, LPTIM_CLOCK with its mask and values,
 * LSI_CONTROL with its bits, MARK_BASE, MARK_PIN, RCC_BDCR, the RESET_... masks of RESET_FLAGS,
 * UID_WORD(n), DBGMCU_IDCODE, EK_CLOCK_HZ and EK_RESET_MHZ. */
#ifndef EK_STM32_CHIP_H
#define EK_STM32_CHIP_H

#include <stdint.h>

/* From the reset state to EK_CLOCK_HZ, with the clock of the serial port on. Returns the cycle
 * count at which the clock changed. */
uint32_t ek_clock_init(void);

/* Before and after the deep sleep of the operating point, which stops all fast clocks. The first
 * also chooses that sleep; SLEEPDEEP is the port's. */
void ek_clock_before_stop(void);
void ek_clock_after_stop(void);

/* Opens the backup domain and turns the 32.768 kHz crystal on; it takes up to 2 s to run. */
void ek_chip_start_lse(void);

/* Gives the timer its bus clock and lets it wake the core from deep sleep. If the crystal runs, it
 * is led to the timer and to what else follows it. */
void ek_chip_open_timer(uint32_t lse_runs);

/* Clocks pins and serial port, and connects them. */
void ek_chip_connect(void);

const char *ek_chip_board(void); /* at most 23 characters */

/* Shared: a pin as output, low; or given to a peripheral. The port's clock is on. */
void ek_pin_output(uint32_t port, uint32_t pin);
void ek_pin_alternate(uint32_t port, uint32_t pin, uint32_t function);

#endif
