/* The parts of Arm's MPS2 and MPS3 boards that a port needs. */
#include "cmsdk.h"
#include "ek_port.h"
#include "emulated.h"

static uint32_t overruns;

uint32_t ek_port_ticks(void)
{
    return EK_TICKS();
}

void ek_machine_start(void)
{
    UART0_BAUDDIV = 16u; /* the smallest, which QEMU wants; its line has no speed */
    UART0_CTRL = UART_TX_ENABLE | UART_RX_ENABLE | UART_RX_INTERRUPT;
    NVIC_ISER(EK_UART0_RX_IRQ) = NVIC_BIT(EK_UART0_RX_IRQ);
}

uint32_t ek_machine_has_byte(void)
{
    return UART0_STATE & UART_RX_FULL;
}

void ek_machine_wait_us(uint32_t us)
{
    uint32_t count = us > SYSTICK_MAX / EK_TICKS_PER_US ? SYSTICK_MAX : us * EK_TICKS_PER_US;

    SYSTICK_CTRL = 0;
    SYSTICK_RELOAD = count;
    SYSTICK_VALUE = 0;
    SCB_ICSR = SCB_ICSR_PENDSTCLR;
    NVIC_ICPR(EK_UART0_RX_IRQ) = NVIC_BIT(EK_UART0_RX_IRQ);
    SYSTICK_CTRL = SYSTICK_ENABLE | SYSTICK_INTERRUPT | SYSTICK_CORE_CLOCK;
    if (!ek_machine_has_byte()) {
        __asm volatile("dsb\n wfi\n isb" ::: "memory");
    }
    SYSTICK_CTRL = 0;
    SCB_ICSR = SCB_ICSR_PENDSTCLR;
}

int32_t ek_port_read(void)
{
    uint32_t state = UART0_STATE;

    if (state & UART_RX_OVERRUN) {
        UART0_STATE = UART_RX_OVERRUN;
        overruns++;
    }
    UART0_INTCLEAR = UART_INTCLEAR_RX;
    return (state & UART_RX_FULL) ? (int32_t)(UART0_DATA & 0xFFu) : -1;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (UART0_STATE & UART_TX_FULL) {
        }
        UART0_DATA = data[i];
    }
}

void ek_port_flush(void)
{
    while (UART0_STATE & UART_TX_FULL) {
    }
}

uint32_t ek_port_overruns(void)
{
    return overruns;
}

void ek_port_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05FA0004u; /* VECTKEY, SYSRESETREQ */
    for (;;) {
    }
}
