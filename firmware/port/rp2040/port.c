/* Raspberry Pi Pico: UART0 on GP0/GP1 to a debug probe, mark on GP2, the 64-bit microsecond timer
 * as the time base, which runs on in sleep. Section names in comments are those of the data sheet.
 */
#include "ek_port.h"

#include "ek_layout.h"
#include "facts.h"
#include "registers.h"
#include "restart.h"

#define XOSC_HZ 12000000u
#define TX_PIN 0u
#define RX_PIN 1u
#define MARK_PIN 2u
#define IDLE_US 2000000u
#define GUARD_US 20u /* an alarm nearer than this may be passed while it is written */
#define MHZ (EK_CLOCK_HZ / 1000000u)
#define SYSTICK_TURN 0x1000000u

/* Core clock = 12 MHz * feedback / (first * second); the product of 12 MHz and the feedback is the
 * VCO's frequency, 750 to 1600 MHz. */
#if EK_CLOCK_HZ == 125000000
#define PLL_FEEDBACK 125u
#define PLL_DIVIDERS (6u << 16 | 2u << 12)
#elif EK_CLOCK_HZ == 48000000
#define PLL_FEEDBACK 100u
#define PLL_DIVIDERS (5u << 16 | 5u << 12)
#else
#error EK_CLOCK_HZ has no row: 125 or 48 MHz
#endif

/* Cycles up to `cycles_seen_us`: SysTick has 24 bits, and the timer says how often it turned. */
static uint32_t cycles_total;
static uint32_t systick_seen;
static uint64_t cycles_seen_us;

static uint64_t timer_us(void)
{
    uint32_t high = TIMER_RAWH;

    for (;;) {
        uint32_t low = TIMER_RAWL;
        uint32_t again = TIMER_RAWH;
        if (again == high) {
            return (uint64_t)high << 32 | low;
        }
        high = again;
    }
}

/* Cycles that passed unseen do not count. */
static void forget_cycles(void)
{
    systick_seen = SYSTICK_CVR;
    cycles_seen_us = timer_us();
}

/* "Changing clock sources": a glitchless switch is done when SELECTED says so. */
static void core_from(uint32_t source)
{
    CLK_SYS_CTRL = source;
    while ((CLK_SYS_SELECTED & 1u << source) == 0) {
    }
}

static void start_pll(void)
{
    PLL_CS = 1u; /* reference divider */
    PLL_FBDIV = PLL_FEEDBACK;
    PLL_PWR = PLL_PWR_LOCKING;
    while ((PLL_CS & PLL_LOCK) == 0) {
    }
    PLL_PRIM = PLL_DIVIDERS;
    PLL_PWR = PLL_PWR_ON;
    core_from(CLK_SYS_AUX);
}

/* A reset of the core alone leaves clocks and peripherals as they were: begin from the crystal. */
static void start_clocks(void)
{
    XOSC_STARTUP = XOSC_HZ / 256u / 1000u + 1u; /* about a millisecond */
    XOSC_CTRL = XOSC_CTRL_ON;
    while ((XOSC_STATUS & XOSC_STABLE) == 0) {
    }
    CLK_REF_CTRL = CLK_REF_XOSC;
    while ((CLK_REF_SELECTED & 1u << CLK_REF_XOSC) == 0) {
    }
    core_from(CLK_SYS_REF);
    RESETS_RESET &= ~RESETS_USED;
    while ((RESETS_DONE & RESETS_USED) != RESETS_USED) {
    }
    PLL_PWR = PLL_PWR_OFF;
    start_pll();
    CLK_PERI_CTRL = CLK_PERI_XOSC;
    WATCHDOG_TICK = WATCHDOG_TICK_ON | XOSC_HZ / 1000000u;
}

static void start_uart(void)
{
    uint32_t divisor = (XOSC_HZ * 4u + EK_LINK_BAUD / 2u) / EK_LINK_BAUD; /* in 64ths */

    PADS(RX_PIN) = PADS_INPUT_PULL_UP;
    IO_CTRL(TX_PIN) = FUNCTION_UART;
    IO_CTRL(RX_PIN) = FUNCTION_UART;
    UART_CR = 0;
    UART_IBRD = divisor / 64u;
    UART_FBRD = divisor % 64u;
    UART_LCR_H = UART_LCR_8N1_FIFO;
    UART_IFLS = 0;
    UART_IMSC = UART_INT_RX;
    UART_CR = UART_CR_ON;
    NVIC_ISER(UART_IRQ) = NVIC_BIT(UART_IRQ);
}

/* SRAM survives everything but a loss of power, so a first start is one that finds no count there.
 */
static void note_reset(void)
{
    ek_count_start(0);
    if (ek_port_boot_count() == 1u) {
        ek_facts.reset_reason = EK_RESET_POWER;
    } else if (WATCHDOG_REASON & WATCHDOG_REASON_TIMER) {
        ek_facts.reset_reason = EK_RESET_WATCHDOG;
    } else {
        ek_facts.reset_reason = (CHIP_RESET & CHIP_RESET_RUN) ? EK_RESET_PIN : EK_RESET_SOFTWARE;
    }
}

/* How long the start took is not known: the ROM runs first, from an oscillator that nobody has
 * trimmed. */
void ek_port_init(void)
{
    note_reset();
    start_clocks();
    SIO_OUT_CLR = 1u << MARK_PIN;
    SIO_OE_SET = 1u << MARK_PIN;
    IO_CTRL(MARK_PIN) = FUNCTION_SIO;
    start_uart();
    TIMER_INTE = 1u;
    NVIC_ISER(TIMER_IRQ) = NVIC_BIT(TIMER_IRQ);
    forget_cycles();
}

/* The timer runs since ek_port_init. */
void ek_port_start_time(void)
{
}

uint64_t ek_port_time_us(void)
{
    return timer_us();
}

int32_t ek_port_read(void)
{
    uint32_t data;

    if (UART_FR & UART_FR_RXFE) {
        return -1;
    }
    data = UART_DR;
    ek_facts.overruns += (data & UART_DR_OVERRUN) ? 1u : 0u;
    return (int32_t)(data & 0xFFu);
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (UART_FR & UART_FR_TXFF) {
        }
        UART_DR = data[i];
    }
}

void ek_port_flush(void)
{
    while (UART_FR & UART_FR_BUSY) {
    }
}

static void wait_for_interrupt(void)
{
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

static void set_alarm(uint64_t at_us)
{
    TIMER_INTR = 1u;
    NVIC_ICPR(TIMER_IRQ) = NVIC_BIT(TIMER_IRQ);
    TIMER_ALARM0 = (uint32_t)at_us;
}

int32_t ek_port_idle(void)
{
    uint64_t end = timer_us() + IDLE_US;

    set_alarm(end);
    for (;;) {
        NVIC_ICPR(UART_IRQ) = NVIC_BIT(UART_IRQ);
        if ((UART_FR & UART_FR_RXFE) == 0) {
            return 0;
        }
        if (timer_us() >= end) {
            return 1;
        }
        wait_for_interrupt(); /* returns at once if something came since the checks */
    }
}

/* "SLEEP state": everything but the timer and the maker of its microseconds is gated. The other
 * core has been asleep since its own reset. */
static void sleep_deep(void)
{
    ek_port_flush();
    NVIC_ICER(UART_IRQ) = NVIC_BIT(UART_IRQ);
    core_from(CLK_SYS_REF);
    PLL_PWR = PLL_PWR_OFF;
    SLEEP_EN0 = 0;
    SLEEP_EN1 = SLEEP_EN1_TIMER | SLEEP_EN1_WATCHDOG;
    SCB_SCR |= SCB_SCR_SLEEPDEEP;
    wait_for_interrupt();
    SCB_SCR &= ~SCB_SCR_SLEEPDEEP;
    start_pll();
    NVIC_ISER(UART_IRQ) = NVIC_BIT(UART_IRQ);
}

void ek_port_sleep_until(uint64_t t_us)
{
    while (timer_us() + GUARD_US < t_us) {
        set_alarm(t_us);
        sleep_deep();
    }
    while (timer_us() < t_us) {
    }
    forget_cycles();
}

uint32_t ek_port_cycles(void)
{
    uint32_t now = SYSTICK_CVR;
    uint64_t us = timer_us();
    uint32_t fine = (systick_seen - now) % SYSTICK_TURN; /* it counts down */
    uint32_t rough = (uint32_t)(us - cycles_seen_us) * MHZ;

    cycles_total += fine + ((rough - fine + SYSTICK_TURN / 2u) & ~(SYSTICK_TURN - 1u));
    systick_seen = now;
    cycles_seen_us = us;
    return cycles_total;
}

void ek_port_mark(uint32_t on)
{
    if (on) {
        SIO_OUT_SET = 1u << MARK_PIN;
    } else {
        SIO_OUT_CLR = 1u << MARK_PIN;
    }
}

uint32_t ek_port_kind(void)
{
    return CHIP_ID_PART(SYSINFO_CHIP_ID) == PART_TWIN ? EK_KIND_VIRTUAL : EK_KIND_HARDWARE;
}

uint32_t ek_port_device_id(void)
{
    return SYSINFO_CHIP_ID;
}

/* The chip has no number of its own; the flash chip's is behind the interface that code runs from.
 */
void ek_port_uid(uint8_t uid[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = 0;
    }
}

const char *ek_port_board(void)
{
    return "rpi-pico";
}
