/* Convolution and fully connected layer of bits by weights of one bit, 32 channels at once. */
#define EK_BIN_WORDS 1

/* The loop is written out for Thumb-2; without optimization it finds no registers. */
#if defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__GNUC__) && defined(__OPTIMIZE__) &&        \
    !defined(__clang__)
#define EK_BIN_ASM 1
#else
#define EK_BIN_ASM 0
#endif

#include "ek_bin_conv2d.h"

#if EK_BIN_ASM

/* Compilers keep neither all of this in registers nor load four words at once.
 * r0: weights, r1: inputs, r2: what follows, r3: twos, r12: fours, r8: ones, r7 every other time;
 * pairs of carries are (one, both). */
typedef struct {
    uint32_t both; /* of the first eight inputs of sixteen */
    uint32_t pair[2];
    uint32_t eights;
    uint32_t sixteens;
    const uint32_t *x;
    const uint32_t *end;
    int32_t to; /* from x to where carries go, less a word, in bytes */
} asm_work;

/* Four inputs from bit i0 on; `a` is the lowest plane before, `e` after. */
#define EK_QUAD(a, e, i0, i1, i2, i3, one, both)                                                   \
    "ldmia r0!, {r4, r5, r6, " e "}\n\t"                                                           \
    "sbfx lr, r1, #" i1 ", #1\n\teor r5, r5, lr\n\teor " a ", " a ", r5\n\t"                       \
    "sbfx lr, r1, #" i0 ", #1\n\teor r4, r4, lr\n\torr r4, r4, " a "\n\t"                          \
    "sbfx lr, r1, #" i3 ", #1\n\teor " e ", " e ", lr\n\t"                                         \
    "sbfx lr, r1, #" i2 ", #1\n\teor r6, r6, lr\n\t"                                               \
    "eor " a ", r5, " e "\n\tbic r6, r6, " a "\n\t"                                                \
    "eor " one ", r5, r6\n\teor " both ", r4, r6\n\t"

/* Two pairs added to a plane; their carries to (one, both). */
#define EK_ADD(plane, p1, p2, q1, q2, one, both)                                                   \
    "eor lr, " plane ", " p2 "\n\teor " p1 ", " p1 ", " plane "\n\t"                               \
    "orr " p2 ", " p2 ", " p1 "\n\teor " q1 ", " q1 ", lr\n\t"                                     \
    "bic " q1 ", " q1 ", " q2 "\n\teor " plane ", lr, " q2 "\n\t"                                  \
    "eor " both ", " p2 ", " q1 "\n\teor " one ", lr, " q1 "\n\t"

#define EK_EIGHT(i0, i1, i2, i3, i4, i5, i6, i7, one, both)                                        \
    EK_QUAD("r8", "r7", i0, i1, i2, i3, "r9", "r10")                                               \
    EK_QUAD("r7", "r8", i4, i5, i6, i7, "r5", "r4")                                                \
    EK_ADD("r3", "r9", "r10", "r5", "r4", one, both)

#define EK_SIXTEEN(first, second, one, both)                                                       \
    first "str r6, [r2]\n\t" second                                                                \
          "ldr r6, [r2]\n\t" EK_ADD("r12", "r11", "r6", "r9", "r10", one, both)

static void count_words(low_planes *s, const int32_t *w, int32_t stride, const uint32_t *x,
                        int32_t words, ek_bin_stored *list)
{
    asm_work k = {.eights = s->eights, .sixteens = s->sixteens, .x = x, .end = &x[words]};
    k.to = (int32_t)((uint32_t)list - (uint32_t)x) - 4;
    register const int32_t *r0 __asm__("r0") = w;
    register asm_work *r2 __asm__("r2") = &k;
    register ek_bin_t r3 __asm__("r3") = s->twos;
    register ek_bin_t r8 __asm__("r8") = s->ones;
    register ek_bin_t r12 __asm__("r12") = s->fours;
    (void)stride; /* 1 */
    if (words == 0) {
        return;
    }
    __asm__ volatile(
        "1:\n\t"
        "ldr r7, [r2, #20]\n\tldr r1, [r7], #4\n\tstr r7, [r2, #20]\n\t" EK_SIXTEEN(
            EK_EIGHT("0", "1", "2", "3", "4", "5", "6", "7", "r11", "r6"),
            EK_EIGHT("8", "9", "10", "11", "12", "13", "14", "15", "r9", "r10"), "r11",
            "r6") "strd r11, r6, [r2, #4]\n\t" EK_SIXTEEN(EK_EIGHT("16", "17", "18", "19", "20",
                                                                   "21", "22", "23", "r11", "r6"),
                                                          EK_EIGHT("24", "25", "26", "27", "28",
                                                                   "29", "30", "31", "r9", "r10"),
                                                          "r9", "r10") "ldrd r11, r6, [r2, "
                                                                       "#4]\n\tldrd r7, r4, [r2, "
                                                                       "#12]\n\t" EK_ADD(
                                                                           "r7", "r11", "r6", "r9",
                                                                           "r10", "r9", "r10")
        /* The carry of one pair added to the sixteens. */
        "eor lr, r4, r10\n\teor r9, r9, r4\n\torr r9, r9, r10\n\teor r9, r9, lr\n\t"
        "strd r7, lr, [r2, #12]\n\tldrd r7, r6, [r2, #20]\n\tldr r5, [r2, #28]\n\t"
        "str r9, [r7, r5]\n\tcmp r7, r6\n\tbne 1b"
        : "+r"(r0), "+r"(r2), "+r"(r3), "+r"(r8), "+r"(r12)
        :
        : "r1", "r4", "r5", "r6", "r7", "r9", "r10", "r11", "lr", "cc", "memory");
    s->ones = r8;
    s->twos = r3;
    s->fours = r12;
    s->eights = k.eights;
    s->sixteens = k.sixteens;
}

#endif

void ek_bin_conv2d(const ek_bin_conv2d_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    convolve(p, scratch, x, y);
}
