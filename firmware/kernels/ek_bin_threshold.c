/* int8 values to bits: one threshold, or one after the other. */
#include "ek_bin.h"
#include "ek_dsp.h"

#define EK_NEVER 128
#define EK_HIGH 0x80808080U
#define EK_QUAD 4 /* values in a word */

/* A threshold in each byte, and what comparing with it takes. */
typedef struct {
    uint32_t bytes;
    uint32_t low;    /* of t + 128, the lower seven bits */
    uint32_t either; /* all ones if t + 128 is below 128 */
} splat;

static splat splat_of(int32_t t)
{
    const uint32_t raised = (uint32_t)(t + 128);
    splat s;
    s.bytes = ((uint32_t)t & 0xFFU) * 0x01010101U;
    s.low = (raised & 0x7FU) * 0x01010101U;
    s.either = raised < 128 ? ~0U : 0U;
    return s;
}

/* The lowest four bits: which of four bytes are not below the threshold. */
EK_BIN_INLINE uint32_t quad(const int8_t *x, const splat *s)
{
#if EK_DSP_ASM
    uint32_t v = *(const uint32_t *)(const void *)x;
    uint32_t out;
    /* Each byte's GE flag, as a bit of that byte; then the sum of the bytes. */
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %3, %4\n\tusad8 %0, %0, %4"
            : "=&r"(out)
            : "r"(v), "r"(s->bytes), "r"(0x08040201U), "r"(0));
    return out;
#else
    const uint32_t v = *(const uint32_t *)(const void *)x;
    const uint32_t seven = (v | EK_HIGH) - s->low;
    const uint32_t above = (seven & ~v) | ((seven | ~v) & s->either);
    return (((above & EK_HIGH) >> 7) * 0x10204080U) >> 28;
#endif
}

/* A word of bits of up to 32 values at a multiple of 4. */
static uint32_t word_of(const int8_t *x, const splat *s, int32_t count)
{
    uint32_t word = 0;
    if (count >= EK_BIN_LANES) {
        word = quad(&x[0], s) | quad(&x[4], s) << 4;
        word |= quad(&x[8], s) << 8 | quad(&x[12], s) << 12;
        word |= quad(&x[16], s) << 16 | quad(&x[20], s) << 20;
        return word | quad(&x[24], s) << 24 | quad(&x[28], s) << 28;
    }
    for (int32_t i = 0; i < count; i += EK_QUAD) {
        word |= quad(&x[i], s) << i;
    }
    return word;
}

static uint32_t compared(const int8_t *x, const int16_t *t, int32_t step, int32_t count)
{
    uint32_t word = 0;
    for (int32_t i = 0; i < count; i++) {
        word |= (x[i] >= t[i * step] ? 1U : 0U) << i;
    }
    return word;
}

static void level(const ek_bin_threshold_params *p, const int16_t *t, const int8_t *x,
                  ek_bin_writer *out)
{
    /* Values that begin at a multiple of 4 and have one threshold are compared four at once. */
    const int in_quads = p->step == 0 && p->channels % EK_QUAD == 0 && *t != EK_NEVER;
    const splat s = splat_of(*t);
    int32_t c = 0;
    for (; in_quads && out->used == 0 && p->channels - c >= EK_BIN_LANES; c += EK_BIN_LANES) {
        *out->to++ = word_of(&x[c], &s, EK_BIN_LANES);
    }
    for (; c < p->channels; c += EK_BIN_LANES) {
        const int32_t left = p->channels - c;
        const int32_t count = left < EK_BIN_LANES ? left : EK_BIN_LANES;
        const uint32_t word =
            in_quads ? word_of(&x[c], &s, count) : compared(&x[c], &t[c * p->step], p->step, count);
        ek_bin_append(out, word, count);
    }
}

void ek_bin_threshold(const ek_bin_threshold_params *p, const int8_t *x, int8_t *y)
{
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    for (int32_t i = 0; i < p->pixels; i++) {
        for (int32_t l = 0; l < p->levels; l++) {
            level(p, &p->thresholds[l * p->row], x, &out);
        }
        ek_bin_flush(&out);
        x += p->channels;
    }
}
