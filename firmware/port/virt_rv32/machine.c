/* The parts of QEMU's RISC-V virt machine that a port needs. */
#include "ek_port.h"
#include "emulated.h"
#include "registers.h"

static uint32_t overruns;

uint32_t ek_port_ticks(void)
{
    return MTIME_LOW;
}

void ek_machine_start(void)
{
    UART0_LCR = UART_LCR_8N1;
    UART0_FCR = UART_FCR_FIFO;
    UART0_IER = UART_IER_RX;
    PLIC_PRIORITY(UART0_IRQ) = 1u;
    PLIC_ENABLE = 1u << UART0_IRQ;
}

/* Reading the state clears the overrun in it. */
static uint32_t line_state(void)
{
    uint32_t state = UART0_LSR;

    overruns += (state & UART_LSR_OVERRUN) != 0;
    return state;
}

uint32_t ek_machine_has_byte(void)
{
    return line_state() & UART_LSR_RX_READY;
}

void ek_machine_wait_us(uint32_t us)
{
    uint32_t low = MTIME_LOW, high = MTIME_HIGH;
    uint32_t claimed;

    if (MTIME_LOW < low) { /* it has just wrapped: what was read does not belong together */
        return;
    }
    MTIMECMP_HIGH = 0xFFFFFFFFu;
    MTIMECMP_LOW = low + us * EK_TICKS_PER_US;
    MTIMECMP_HIGH = high + (low + us * EK_TICKS_PER_US < low);
    if (!ek_machine_has_byte()) {
        __asm volatile("csrw mie, %0\n wfi\n csrw mie, zero" ::"r"(MIE_TIMER | MIE_EXTERNAL)
                       : "memory");
    }
    MTIMECMP_HIGH = 0xFFFFFFFFu;
    claimed = PLIC_CLAIM;
    if (claimed != 0) {
        PLIC_CLAIM = claimed; /* complete */
    }
}

int32_t ek_port_read(void)
{
    return ek_machine_has_byte() ? (int32_t)UART0_DATA : -1;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while ((line_state() & UART_LSR_TX_ROOM) == 0) {
        }
        UART0_DATA = data[i];
    }
}

void ek_port_flush(void)
{
    while ((line_state() & UART_LSR_TX_IDLE) == 0) {
    }
}

uint32_t ek_port_overruns(void)
{
    return overruns;
}

void ek_port_reset(void)
{
    TEST_FINISHER = TEST_RESET;
    for (;;) {
    }
}
