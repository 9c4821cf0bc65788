/* nRF52840 DK: UART on P0.06/P0.08 to the on-board debugger, mark on P1.08 (Arduino D7), RTC1 as
 * the time base that runs in sleep. Chapter names in comments are those of the product
 * specification. */
#include "ek_port.h"

#include "ek_layout.h"
#include "facts.h"
#include "registers.h"
#include "restart.h"

#if EK_CLOCK_HZ != 64000000
#error EK_CLOCK_HZ has no row: the core of this chip runs at 64 MHz
#endif

#define TX_PIN 6u
#define RX_PIN 8u
#define MARK_PORT 1u
#define MARK_PIN 8u
#define LFXO_START_CYCLES 64000000u /* t_START_LFXO is a quarter of a second: allow a second */
#define GUARD_TICKS 8u              /* a compare value nearer than this may be passed meanwhile */
#define IDLE_TICKS 65536u           /* two seconds */

static uint64_t ticks_total;
static uint32_t ticks_seen;

/* "RESETREAS": no bit is set after power-on or brown-out. */
static void note_reset(void)
{
    uint32_t flags = POWER_RESETREAS;

    if (flags & RESETREAS_WATCHDOG) {
        ek_facts.reset_reason = EK_RESET_WATCHDOG;
    } else if (flags & RESETREAS_SOFTWARE) {
        ek_facts.reset_reason = EK_RESET_SOFTWARE;
    } else if (flags & RESETREAS_PIN) {
        ek_facts.reset_reason = EK_RESET_PIN;
    } else {
        ek_facts.reset_reason = flags ? EK_RESET_OTHER : EK_RESET_POWER;
    }
    POWER_RESETREAS = flags; /* ones clear */
    ek_count_start(ek_facts.reset_reason == EK_RESET_POWER);
}

/* The crystal oscillator starts in a third of a millisecond. The core runs without it, but its
 * clock is then off by percents, too much for a UART. */
static void start_crystal(void)
{
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
}

static void wait_for_crystal(void)
{
    while (CLOCK_EVENTS_HFCLKSTARTED == 0) {
    }
}

static void start_uart(void)
{
    GPIO_OUTSET(0) = 1u << TX_PIN; /* an idle line is high */
    GPIO_PIN_CNF(0, TX_PIN) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(0, RX_PIN) = PIN_CNF_INPUT_PULL_UP;
    UART_PSELTXD = TX_PIN;
    UART_PSELRXD = RX_PIN;
    /* "BAUDRATE": 2^32 / 16 MHz times the rate, in steps of 2^12 */
    UART_BAUDRATE = (uint32_t)((((uint64_t)EK_LINK_BAUD << 32) / 16000000u + 0x800u) & ~0xFFFu);
    UART_ENABLE = UART_ENABLE_ON;
    UART_INTENSET = UART_INT_RXDRDY;
    UART_TASKS_STARTRX = 1;
    UART_TASKS_STARTTX = 1;
    NVIC_ISER(UART_IRQ) = NVIC_BIT(UART_IRQ);
}

void ek_port_init(void)
{
    note_reset();
    POWER_DCDCEN = 1;
    NVMC_ICACHECNF = 1;
    CLOCK_LFCLKSRC = LFCLKSRC_XTAL;
    CLOCK_EVENTS_LFCLKSTARTED = 0;
    CLOCK_TASKS_LFCLKSTART = 1; /* ek_port_start_time waits for it */
    start_crystal();
    wait_for_crystal();
    GPIO_OUTCLR(MARK_PORT) = 1u << MARK_PIN;
    GPIO_PIN_CNF(MARK_PORT, MARK_PIN) = PIN_CNF_OUTPUT;
    start_uart();
    ek_facts.boot_us = DWT_CYCCNT / (EK_CLOCK_HZ / 1000000u);
}

void ek_port_start_time(void)
{
    uint32_t start = DWT_CYCCNT;

    while (CLOCK_EVENTS_LFCLKSTARTED == 0) {
        if (DWT_CYCCNT - start > LFXO_START_CYCLES) {
            /* No crystal: the RC oscillator, whose time is only rough, takes over. */
            CLOCK_TASKS_LFCLKSTOP = 1;
            CLOCK_LFCLKSRC = LFCLKSRC_RC;
            CLOCK_TASKS_LFCLKSTART = 1;
            while (CLOCK_EVENTS_LFCLKSTARTED == 0) {
            }
        }
    }
    RTC_PRESCALER = 0;
    RTC_INTENSET = RTC_INT_COMPARE0;
    RTC_TASKS_START = 1;
    NVIC_ISER(RTC_IRQ) = NVIC_BIT(RTC_IRQ);
    ticks_seen = RTC_COUNTER;
}

/* Ticks since the start. The counter turns after 512 s; somebody comes by every two seconds. */
static uint64_t ticks(void)
{
    uint32_t now = RTC_COUNTER;

    ticks_total += (now - ticks_seen) & RTC_MASK;
    ticks_seen = now;
    return ticks_total;
}

/* 10^6 / 32768 */
uint64_t ek_port_time_us(void)
{
    return (ticks() * 15625u) >> 9;
}

int32_t ek_port_read(void)
{
    if (UART_EVENTS_ERROR) {
        uint32_t source = UART_ERRORSRC;
        UART_EVENTS_ERROR = 0;
        UART_ERRORSRC = source; /* ones clear */
        ek_facts.overruns += (source & UART_ERRORSRC_OVERRUN) ? 1u : 0u;
    }
    if (UART_EVENTS_RXDRDY == 0) {
        return -1;
    }
    UART_EVENTS_RXDRDY = 0; /* before the byte is taken, which may bring the next event */
    return (int32_t)(UART_RXD & 0xFFu);
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    wait_for_crystal();
    for (uint32_t i = 0; i < n; i++) {
        UART_EVENTS_TXDRDY = 0;
        UART_TXD = data[i];
        while (UART_EVENTS_TXDRDY == 0) {
        }
    }
}

/* ek_port_write has waited for the last byte. */
void ek_port_flush(void)
{
}

static void set_alarm(uint32_t in_ticks)
{
    RTC_CC0 = (RTC_COUNTER + in_ticks) & RTC_MASK;
    RTC_EVENTS_COMPARE0 = 0;
    NVIC_ICPR(RTC_IRQ) = NVIC_BIT(RTC_IRQ);
}

static void wait_for_interrupt(void)
{
#ifdef __ARM_FP
    /* A flag that the FPU left raises its interrupt, and the chip then does not sleep. */
    uint32_t fpscr;
    __asm volatile("vmrs %0, fpscr" : "=r"(fpscr));
    __asm volatile("vmsr fpscr, %0" ::"r"(fpscr & ~0x9Fu));
    NVIC_ICPR(FPU_IRQ) = NVIC_BIT(FPU_IRQ);
#endif
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

int32_t ek_port_idle(void)
{
    (void)ticks();
    set_alarm(IDLE_TICKS);
    for (;;) {
        NVIC_ICPR(UART_IRQ) = NVIC_BIT(UART_IRQ);
        if (UART_EVENTS_RXDRDY) {
            return 0;
        }
        if (RTC_EVENTS_COMPARE0) {
            (void)ticks();
            return 1;
        }
        wait_for_interrupt(); /* returns at once if something came since the checks */
    }
}

/* "System ON": what nobody asks for is switched off, so the serial port and the crystal have to be
 * let go of, or they keep drawing their current. */
void ek_port_sleep_until(uint64_t t_us)
{
    uint64_t now = ek_port_time_us();

    if (now >= t_us) {
        return;
    }
    UART_TASKS_STOPRX = 1;
    UART_TASKS_STOPTX = 1;
    CLOCK_TASKS_HFCLKSTOP = 1;
    for (; now < t_us; now = ek_port_time_us()) {
        uint32_t left = t_us - now > 1000000u ? 1000000u : (uint32_t)(t_us - now);
        left = left * 512u / 15625u; /* ticks */
        if (left < GUARD_TICKS) {
            continue; /* a quarter of a millisecond at most: stay awake */
        }
        set_alarm(left);
        wait_for_interrupt();
    }
    start_crystal();
    UART_TASKS_STARTRX = 1;
    UART_TASKS_STARTTX = 1;
}

uint32_t ek_port_cycles(void)
{
    return DWT_CYCCNT;
}

void ek_port_mark(uint32_t on)
{
    if (on) {
        GPIO_OUTSET(MARK_PORT) = 1u << MARK_PIN;
    } else {
        GPIO_OUTCLR(MARK_PORT) = 1u << MARK_PIN;
    }
}

uint32_t ek_port_kind(void)
{
    return FICR_INFO_PART == PART_TWIN ? EK_KIND_VIRTUAL : EK_KIND_HARDWARE;
}

uint32_t ek_port_device_id(void)
{
    return FICR_INFO_PART;
}

void ek_port_uid(uint8_t uid[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = i < 8 ? (uint8_t)(FICR_DEVICEID(i / 4u) >> (8u * (i % 4u))) : 0;
    }
}

const char *ek_port_board(void)
{
    return "nrf52840-dk";
}
