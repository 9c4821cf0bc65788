/* NUCLEO-L4R5ZI: LPUART1 on PG7/PG8 to the ST-LINK, mark on PF13 (Arduino D7), LPTIM1 as the time
 * base that runs on in Stop 2. Section names in comments are RM0432's. */
#include "ek_port.h"

#include "clock.h"
#include "ek_layout.h"
#include "registers.h"

#ifndef EK_LINK_BAUD
#define EK_LINK_BAUD 115200u
#endif

#define HSI16_HZ 16000000u
#define IRQ_WORD 2u /* LPTIM1 and LPUART1 are both in the third word */
#define LPTIM1_BIT (1u << (LPTIM1_IRQ - 64u))
#define LPUART1_BIT (1u << (LPUART1_IRQ - 64u))
#define TICK_HZ 32768u
#define GUARD_TICKS 8u /* a compare value nearer than this may be passed while it is written */
#define LSE_START_CYCLES (EK_CLOCK_HZ / 1000u * 5000u) /* t_SU(LSE) is typically 2 s: allow 5 */
#define BOOT_MAGIC 0x424F4F54u

extern uint8_t ek_store_start[], ek_store_end[];

static struct {
    uint32_t magic;
    uint32_t count;
} boot EK_NOINIT;

static uint32_t reset_reason;
static uint32_t boot_us;
static uint32_t overruns;

/* Time base: 32.768 kHz ticks up to `seen`, and the cycle count then. */
static uint64_t ticks_total;
static uint32_t ticks_seen;
static uint32_t cycles_seen;

static void wait_for_interrupt(void) { __asm volatile("dsb\n wfi\n isb" ::: "memory"); }

/* "Control/status register (RCC_CSR)": a reset from inside also pulls the pin, so the pin is last. */
static void note_reset(void)
{
    uint32_t csr = RCC_CSR;

    if (csr & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) {
        reset_reason = EK_RESET_WATCHDOG;
    } else if (csr & RCC_CSR_SFTRSTF) {
        reset_reason = EK_RESET_SOFTWARE;
    } else if (csr & RCC_CSR_LPWRRSTF) {
        reset_reason = EK_RESET_LOW_POWER;
    } else if (csr & (RCC_CSR_OBLRSTF | RCC_CSR_FWRSTF)) {
        reset_reason = EK_RESET_OTHER;
    } else if (csr & RCC_CSR_BORRSTF) {
        reset_reason = EK_RESET_POWER;
    } else if (csr & RCC_CSR_PINRSTF) {
        reset_reason = EK_RESET_PIN;
    }
    RCC_CSR = csr | RCC_CSR_RMVF;
    if (boot.magic != BOOT_MAGIC || reset_reason == EK_RESET_POWER) {
        boot.magic = BOOT_MAGIC;
        boot.count = 0;
    }
    boot.count++;
}

static void start_pins(void)
{
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOFEN | RCC_AHB2ENR_GPIOGEN;
    PWR_CR2 |= PWR_CR2_IOSV; /* port G is on VDDIO2: declare it present */
    GPIOF_BSRR = 1u << (13 + 16);
    GPIOF_MODER = (GPIOF_MODER & ~(3u << 26)) | (1u << 26);            /* PF13 output */
    GPIOG_AFRL = (GPIOG_AFRL & ~(15u << 28)) | (8u << 28);             /* PG7 AF8: LPUART1_TX */
    GPIOG_AFRH = (GPIOG_AFRH & ~15u) | 8u;                             /* PG8 AF8: LPUART1_RX */
    GPIOG_PUPDR = (GPIOG_PUPDR & ~(3u << 16)) | (1u << 16);            /* PG8 pull-up */
    GPIOG_MODER = (GPIOG_MODER & ~(15u << 14)) | (2u << 14) | (2u << 16);
}

static void start_uart(void)
{
    RCC_CCIPR = (RCC_CCIPR & ~RCC_CCIPR_LPUART1SEL_MASK) | RCC_CCIPR_LPUART1SEL_HSI16;
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1EN;
    /* "LPUART baud rate generation": BRR = 256 f / baud */
    LPUART1_BRR = (256u * HSI16_HZ + EK_LINK_BAUD / 2u) / EK_LINK_BAUD;
    LPUART1_CR1 = LPUART_CR1_FIFOEN | LPUART_CR1_RXFNEIE | LPUART_CR1_TE | LPUART_CR1_RE;
    LPUART1_CR1 |= LPUART_CR1_UE;
    NVIC_ISER(IRQ_WORD) = LPUART1_BIT;
}

void ek_port_init(void)
{
    uint32_t changed = ek_clock_init();

    note_reset();
    /* RRSTP: SRAM3 is powered in Stop 2, the arena and the inputs may lie there */
    PWR_CR1 |= PWR_CR1_DBP | PWR_CR1_RRSTP;
    RCC_BDCR |= RCC_BDCR_LSEON; /* takes up to 2 s; ek_port_start_time waits */
    start_pins();
    start_uart();
    /* 4 MHz up to the change of clock */
    boot_us = changed / 4u + (DWT_CYCCNT - changed) / (EK_CLOCK_HZ / 1000000u);
}

uint32_t ek_port_boot_us(void) { return boot_us; }

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
    uint32_t a = LPTIM1_CNT;
    uint32_t b = LPTIM1_CNT;

    while (a != b) {
        a = b;
        b = LPTIM1_CNT;
    }
    return a & 0xFFFFu;
}

void ek_port_start_time(void)
{
    uint32_t source = RCC_CCIPR_LPTIM1SEL_LSE;

    if (lse_runs()) {
        ek_clock_lock_msi();
    } else {
        source = RCC_CCIPR_LPTIM1SEL_LSI; /* 32 kHz +- some percent: time is only rough then */
        RCC_CSR |= RCC_CSR_LSION;
        while ((RCC_CSR & RCC_CSR_LSIRDY) == 0) {
        }
    }
    RCC_CCIPR = (RCC_CCIPR & ~RCC_CCIPR_LPTIM1SEL_MASK) | source;
    RCC_APB1ENR1 |= RCC_APB1ENR1_LPTIM1EN;
    LPTIM1_CFGR = 0;
    /* IER may only change while disabled. Flags are cleared of enabled interrupts alone, since
     * clearing another one's can leave the request stuck: so all four that are used are enabled. */
    LPTIM1_IER = LPTIM_CMPM | LPTIM_ARRM | LPTIM_CMPOK | LPTIM_ARROK;
    LPTIM1_CR = LPTIM_CR_ENABLE;
    LPTIM1_ARR = 0xFFFFu;
    while ((LPTIM1_ISR & LPTIM_ARROK) == 0) {
    }
    LPTIM1_ICR = LPTIM_ARROK;
    LPTIM1_CR = LPTIM_CR_ENABLE | LPTIM_CR_CNTSTRT;
    EXTI_IMR2 |= 1u; /* line 32: LPTIM1 wakes from Stop */
    NVIC_ISER(IRQ_WORD) = LPTIM1_BIT;
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

uint64_t ek_port_time_us(void) { return (ticks() * 15625u) >> 9; } /* 10^6 / 32768 */

int32_t ek_port_read(void)
{
    uint32_t isr = LPUART1_ISR;

    if (isr & LPUART_ISR_ORE) {
        LPUART1_ICR = LPUART_ICR_ERRORS;
        overruns++;
    }
    return (isr & LPUART_ISR_RXFNE) ? (int32_t)(LPUART1_RDR & 0xFFu) : -1;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while ((LPUART1_ISR & LPUART_ISR_TXFNF) == 0) {
        }
        LPUART1_TDR = data[i];
    }
}

void ek_port_flush(void)
{
    while ((LPUART1_ISR & LPUART_ISR_TC) == 0) {
    }
}

int32_t ek_port_idle(void)
{
    for (;;) {
        uint32_t turned;
        NVIC_ICPR(IRQ_WORD) = LPTIM1_BIT | LPUART1_BIT;
        if (LPUART1_ISR & (LPUART_ISR_RXFNE | LPUART_ISR_ORE)) {
            return 0;
        }
        turned = LPTIM1_ISR & LPTIM_ARRM;
        LPTIM1_ICR = LPTIM_ARRM | LPTIM_CMPM;
        if (turned) {
            (void)ticks();
            return 1;
        }
        wait_for_interrupt(); /* Sleep mode: returns at once if something came since the checks */
    }
}

/* "Entering Stop 2 mode" and "Exiting Stop 2 mode". LPUART1 cannot wake from it: its interrupt is
 * off meanwhile, or an unread byte would keep the core awake. */
static void stop2(void)
{
    ek_port_flush();
    NVIC_ICER(IRQ_WORD) = LPUART1_BIT;
    ek_clock_before_stop();
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_LPMS_MASK) | PWR_CR1_LPMS_STOP2;
    SCB_SCR |= SCB_SCR_SLEEPDEEP;
    wait_for_interrupt();
    SCB_SCR &= ~SCB_SCR_SLEEPDEEP;
    ek_clock_after_stop();
    NVIC_ISER(IRQ_WORD) = LPUART1_BIT;
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
        LPTIM1_CMP = at;
        while ((LPTIM1_ISR & LPTIM_CMPOK) == 0) {
        }
        LPTIM1_ICR = LPTIM_CMPOK | LPTIM_CMPM | LPTIM_ARRM;
        NVIC_ICPR(IRQ_WORD) = LPTIM1_BIT;
        if (((at - counter()) & 0xFFFFu) - 1u < left) { /* still ahead */
            stop2();
        }
    }
}

uint32_t ek_port_cycles(void) { return DWT_CYCCNT; }

void ek_port_mark(uint32_t on) { GPIOF_BSRR = on ? 1u << 13 : 1u << (13 + 16); }

uint32_t ek_port_overruns(void) { return overruns; }

uint32_t ek_port_kind(void)
{
    return (DBGMCU_IDCODE & DBGMCU_DEV_ID_MASK) == DEV_ID_TWIN ? EK_KIND_VIRTUAL
                                                               : EK_KIND_HARDWARE;
}

uint32_t ek_port_device_id(void) { return DBGMCU_IDCODE; }

uint32_t ek_port_clock_hz(void) { return EK_CLOCK_HZ; }

uint32_t ek_port_baud(void) { return EK_LINK_BAUD; }

uint32_t ek_port_boot_count(void) { return boot.count; }

uint32_t ek_port_reset_reason(void) { return reset_reason; }

void ek_port_uid(uint8_t uid[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = i < 12 ? (uint8_t)(UID_WORD(i / 4u) >> (8u * (i % 4u))) : 0;
    }
}

const char *ek_port_board(void) { return "nucleo-l4r5zi"; }

void ek_port_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05FA0004u; /* VECTKEY, SYSRESETREQ */
    for (;;) {
    }
}

uint8_t *ek_port_store(uint32_t *bytes)
{
    *bytes = (uint32_t)(ek_store_end - ek_store_start);
    return ek_store_start;
}
