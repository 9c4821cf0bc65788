/* The port of all STM32 boards: serial port to the ST-LINK, mark pin, LPTIM1 as the time base that
 * runs on in deep sleep. Section names in comments are those of ST's reference manuals. */
#include "ek_port.h"

#include "chip.h"
#include "ek_layout.h"
#include "facts.h"
#include "peripherals.h"
#include "registers.h"
#include "restart.h"

#define TICK_HZ 32768u
#define GUARD_TICKS 8u /* a compare value nearer than this may be passed while it is written */
#define LSE_START_CYCLES (EK_CLOCK_HZ / 1000u * 5000u) /* t_SU(LSE) is typically 2 s: allow 5 */

/* Time base: 32.768 kHz ticks up to `seen`, and the cycle count then. */
static uint64_t ticks_total;
static uint32_t ticks_seen;
static uint32_t cycles_seen;

static void wait_for_interrupt(void)
{
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

/* A reset from inside also pulls the pin, so the pin is last. */
static void note_reset(void)
{
    uint32_t flags = RESET_FLAGS;

    if (flags & RESET_WATCHDOG) {
        ek_facts.reset_reason = EK_RESET_WATCHDOG;
    } else if (flags & RESET_SOFTWARE) {
        ek_facts.reset_reason = EK_RESET_SOFTWARE;
    } else if (flags & RESET_LOW_POWER) {
        ek_facts.reset_reason = EK_RESET_LOW_POWER;
    } else if (flags & RESET_OTHER) {
        ek_facts.reset_reason = EK_RESET_OTHER;
    } else if (flags & RESET_POWER) {
        ek_facts.reset_reason = EK_RESET_POWER;
    } else if (flags & RESET_PIN) {
        ek_facts.reset_reason = EK_RESET_PIN;
    }
    RESET_FLAGS = flags | RESET_CLEAR;
    ek_count_start(ek_facts.reset_reason == EK_RESET_POWER);
}

static void start_uart(void)
{
    UART_BRR = UART_BRR_OF(EK_LINK_BAUD);
    UART_CR1 = UART_CR1_FIFOEN | UART_CR1_RXFNEIE | UART_CR1_TE | UART_CR1_RE;
    UART_CR1 |= UART_CR1_UE;
    NVIC_ISER(UART_IRQ) = NVIC_BIT(UART_IRQ);
}

void ek_port_init(void)
{
    uint32_t changed = ek_clock_init();

    note_reset();
    ek_chip_start_lse(); /* ek_port_start_time waits for it */
    ek_chip_connect();
    ek_pin_output(MARK_BASE, MARK_PIN);
    start_uart();
    ek_facts.boot_us = changed / EK_RESET_MHZ + (DWT_CYCCNT - changed) / (EK_CLOCK_HZ / 1000000u);
}

static uint32_t lse_runs(void)
{
    uint32_t start = DWT_CYCCNT;

    while ((RCC_BDCR & RCC_BDCR_LSERDY) == 0) {
        if (DWT_CYCCNT - start > LSE_START_CYCLES) {
            return 0;
        }
    }
    return 1;
}

/* "LPTIM counter register": asynchronous to the bus, so read until two reads agree. */
static uint32_t counter(void)
{
    uint32_t a = LPTIM_CNT;
    uint32_t b = LPTIM_CNT;

    while (a != b) {
        a = b;
        b = LPTIM_CNT;
    }
    return a & 0xFFFFu;
}

/* Flags are cleared of enabled interrupts alone, since clearing another one's can leave the request
 * stuck: so all four that are used are enabled. The older timer takes that only while disabled, the
 * newer one only while enabled. */
static void enable_timer(void)
{
    uint32_t wanted = LPTIM_CMPM | LPTIM_ARRM | LPTIM_CMPOK | LPTIM_ARROK;

#if LPTIM_HAS_DIEROK
    LPTIM_CR = LPTIM_CR_ENABLE;
    LPTIM_IER = wanted;
    while ((LPTIM_ISR & LPTIM_DIEROK) == 0) {
    }
    LPTIM_ICR = LPTIM_DIEROK;
#else
    LPTIM_IER = wanted;
    LPTIM_CR = LPTIM_CR_ENABLE;
#endif
}

static void clock_timer(void)
{
    uint32_t lse = lse_runs();
    uint32_t source = LPTIM_CLOCK_LSE;

    if (!lse) {
        source = LPTIM_CLOCK_LSI; /* 32 kHz +- some percent: time is only rough then */
        LSI_CONTROL |= LSI_ON;
        while ((LSI_CONTROL & LSI_READY) == 0) {
        }
    }
    ek_chip_open_timer(lse);
    LPTIM_CLOCK = (LPTIM_CLOCK & ~LPTIM_CLOCK_MASK) | source;
}

void ek_port_start_time(void)
{
    clock_timer();
    LPTIM_CFGR = 0;
    enable_timer();
    LPTIM_ARR = 0xFFFFu;
    while ((LPTIM_ISR & LPTIM_ARROK) == 0) {
    }
    LPTIM_ICR = LPTIM_ARROK;
    LPTIM_CR = LPTIM_CR_ENABLE | LPTIM_CR_CNTSTRT;
    NVIC_ISER(LPTIM_IRQ) = NVIC_BIT(LPTIM_IRQ);
    ticks_seen = counter();
    cycles_seen = DWT_CYCCNT;
}

/* Ticks since the start. The counter has 16 bits (2 s): while the core was busy for longer, the
 * cycle count says how many turns were missed; asleep, every turn wakes and comes by here. */
static uint64_t ticks(void)
{
    uint32_t now = counter();
    uint32_t cycles = DWT_CYCCNT;
    uint32_t passed = (now - ticks_seen) & 0xFFFFu;
    uint32_t busy = (cycles - cycles_seen) / (EK_CLOCK_HZ / TICK_HZ);

    if (busy > passed) {
        passed += (busy - passed + 0x8000u) & ~0xFFFFu;
    }
    ticks_seen = now;
    cycles_seen = cycles;
    ticks_total += passed;
    return ticks_total;
}

uint64_t ek_port_time_us(void)
{
    return (ticks() * 15625u) >> 9;
} /* 10^6 / 32768 */

int32_t ek_port_read(void)
{
    uint32_t isr = UART_ISR;

    if (isr & UART_ISR_ORE) {
        UART_ICR = UART_ICR_ERRORS;
        ek_facts.overruns++;
    }
    return (isr & UART_ISR_RXFNE) ? (int32_t)(UART_RDR & 0xFFu) : -1;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while ((UART_ISR & UART_ISR_TXFNF) == 0) {
        }
        UART_TDR = data[i];
    }
}

void ek_port_flush(void)
{
    while ((UART_ISR & UART_ISR_TC) == 0) {
    }
}

int32_t ek_port_idle(void)
{
    for (;;) {
        uint32_t turned;
        NVIC_ICPR(LPTIM_IRQ) = NVIC_BIT(LPTIM_IRQ);
        NVIC_ICPR(UART_IRQ) = NVIC_BIT(UART_IRQ);
        if (UART_ISR & (UART_ISR_RXFNE | UART_ISR_ORE)) {
            return 0;
        }
        turned = LPTIM_ISR & LPTIM_ARRM;
        LPTIM_ICR = LPTIM_ARRM | LPTIM_CMPM;
        if (turned) {
            (void)ticks();
            return 1;
        }
        wait_for_interrupt(); /* Sleep mode: returns at once if something came since the checks */
    }
}

/* The serial port cannot wake from it: its interrupt is off meanwhile, or an unread byte would keep
 * the core awake. */
static void sleep_deep(void)
{
    ek_port_flush();
    NVIC_ICER(UART_IRQ) = NVIC_BIT(UART_IRQ);
    ek_clock_before_stop();
    SCB_SCR |= SCB_SCR_SLEEPDEEP;
    wait_for_interrupt();
    SCB_SCR &= ~SCB_SCR_SLEEPDEEP;
    ek_clock_after_stop();
    NVIC_ISER(UART_IRQ) = NVIC_BIT(UART_IRQ);
}

void ek_port_sleep_until(uint64_t t_us)
{
    for (;;) {
        uint64_t now = ek_port_time_us();
        uint32_t left, at;
        if (now >= t_us) {
            return;
        }
        left = t_us - now > 1000000u ? 1000000u : (uint32_t)(t_us - now);
        left = left * 512u / 15625u; /* ticks */
        if (left < GUARD_TICKS) {
            continue; /* a quarter of a millisecond at most: stay awake */
        }
        at = (ticks_seen + left) & 0xFFFFu;
        at = at == 0xFFFFu ? 0xFFFEu : at; /* must stay below ARR */
        LPTIM_CMP = at;
        while ((LPTIM_ISR & LPTIM_CMPOK) == 0) {
        }
        LPTIM_ICR = LPTIM_CMPOK | LPTIM_CMPM | LPTIM_ARRM;
        NVIC_ICPR(LPTIM_IRQ) = NVIC_BIT(LPTIM_IRQ);
        if (((at - counter()) & 0xFFFFu) - 1u < left) { /* still ahead */
            sleep_deep();
        }
    }
}

uint32_t ek_port_cycles(void)
{
    return DWT_CYCCNT;
}

void ek_port_mark(uint32_t on)
{
    GPIO_BSRR(MARK_BASE) = 1u << (on ? MARK_PIN : MARK_PIN + 16u);
}

uint32_t ek_port_kind(void)
{
    return (DBGMCU_IDCODE & DBGMCU_DEV_ID_MASK) == DEV_ID_TWIN ? EK_KIND_VIRTUAL : EK_KIND_HARDWARE;
}

uint32_t ek_port_device_id(void)
{
    return DBGMCU_IDCODE;
}

void ek_port_uid(uint8_t uid[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = i < 12 ? (uint8_t)(UID_WORD(i / 4u) >> (8u * (i % 4u))) : 0;
    }
}

const char *ek_port_board(void)
{
    return ek_chip_board();
}
