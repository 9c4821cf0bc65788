/* As ek_bin_conv2d, 128 channels at once: in MVE registers, or in the vectors of any compiler. */
#include "ek_mve.h"

#define EK_BIN_WORDS 4
/* Clang takes no text of this length. */
#if EK_MVE && !defined(__clang__)
#define EK_BIN_ASM 1
#else
#define EK_BIN_ASM 0
#endif

#include "ek_bin_conv2d.h"

#if EK_BIN_ASM

/* r0: weights, r1: inputs, r2: what follows, r3: bytes between weights; q4, every other time q3:
 * plane 0. Pairs of carries are (one, both). */
typedef struct {
    low_planes planes;
    ek_bin_t eight[2];   /* carries of the first eight inputs of sixteen, at byte 80 */
    ek_bin_t sixteen[2]; /* of the first sixteen of 32, at byte 112 */
} asm_work;

/* Plane 0 after input i. */
#define EK_INPUT(q, i)                                                                             \
    "vldrw.u32 " q ", [r0]\n\tsbfx r5, r1, #" i ", #1\n\tvdup.32 q5, r5\n\t"                       \
    "add r0, r0, r3\n\tveor " q ", " q ", q5\n\t"

/* Four inputs from bit i0 on; `a` is plane 0 before, `e` after. */
#define EK_QUAD(a, e, i0, i1, i2, i3, one, both)                                                   \
    EK_INPUT("q0", i0)                                                                             \
    EK_INPUT("q1", i1)                                                                             \
    "veor " a ", " a ", q1\n\tvorr q0, q0, " a "\n\t" EK_INPUT("q2", i2)                           \
        EK_INPUT(e, i3) "veor " a ", q1, " e "\n\tvbic q2, q2, " a "\n\tveor " one                 \
                        ", q1, q2\n\tveor " both ", q0, q2\n\t"

/* Two pairs added to the plane at `at`; their carries to (one, both). */
#define EK_ADD(at, p1, p2, q1, q2, one, both)                                                      \
    "vldrw.u32 q2, [r2, #" at "]\n\tveor q5, q2, " p2 "\n\tveor " p1 ", " p1 ", q2\n\t"            \
    "vorr " p2 ", " p2 ", " p1 "\n\tveor " q1 ", " q1 ", q5\n\t"                                   \
    "vbic " q1 ", " q1 ", " q2 "\n\tveor q2, q5, " q2 "\n\tvstrw.32 q2, [r2, #" at "]\n\t"         \
    "veor " both ", " p2 ", " q1 "\n\tveor " one ", q5, " q1 "\n\t"

#define EK_EIGHT(i0, i1, i2, i3, i4, i5, i6, i7)                                                   \
    EK_QUAD("q4", "q3", i0, i1, i2, i3, "q6", "q7")                                                \
    EK_QUAD("q3", "q4", i4, i5, i6, i7, "q1", "q0")                                                \
    EK_ADD("16", "q6", "q7", "q1", "q0", "q6", "q7")

#define EK_SIXTEEN(first, second)                                                                  \
    first "vstrw.32 q6, [r2, #80]\n\tvstrw.32 q7, [r2, #96]\n\t" second                            \
          "vldrw.u32 q0, [r2, #80]\n\tvldrw.u32 q1, [r2, #96]\n\t" EK_ADD("32", "q0", "q1", "q6",  \
                                                                          "q7", "q6", "q7")

static void count_words(low_planes *s, const int32_t *w, int32_t stride, const uint32_t *x,
                        int32_t words, ek_bin_stored *list)
{
    asm_work k = {.planes = *s};
    register const int32_t *r0 __asm__("r0") = w;
    register asm_work *r2 __asm__("r2") = &k;
    register int32_t r3 __asm__("r3") = 4 * stride;
    register const uint32_t *end = &x[words];
    if (words == 0) {
        return;
    }
    __asm__ volatile(
        "vldrw.u32 q4, [r2]\n\t"
        "1:\n\t"
        "ldr r1, [%[x]], #4\n\t" EK_SIXTEEN(
            EK_EIGHT("0", "1", "2", "3", "4", "5", "6", "7"),
            EK_EIGHT("8", "9", "10", "11", "12", "13", "14",
                     "15")) "vstrw.32 q6, [r2, #112]\n\tvstrw.32 q7, [r2, "
                            "#128]\n\t" EK_SIXTEEN(
                                EK_EIGHT("16", "17", "18", "19", "20", "21", "22", "23"),
                                EK_EIGHT("24", "25", "26", "27", "28", "29", "30",
                                         "31")) "vldrw.u32 q0, [r2, "
                                                "#112]\n\tvldrw.u32 q1, [r2, "
                                                "#128]\n\t" EK_ADD("48", "q0", "q1", "q6", "q7",
                                                                   "q6", "q7")
        /* The carry of one pair added to the sixteens. */
        "vldrw.u32 q2, [r2, #64]\n\tveor q5, q2, q7\n\tveor q6, q6, q2\n\tvorr q6, q6, q7\n\t"
        "veor q6, q6, q5\n\tvstrw.32 q5, [r2, #64]\n\tvstrw.32 q6, [%[list]], #16\n\t"
        "cmp %[x], %[end]\n\tbne 1b\n\t"
        "vstrw.32 q4, [r2]"
        : "+r"(r0), "+r"(r2), "+r"(r3), [x] "+r"(x), [list] "+r"(list)
        : [end] "r"(end)
        : "r1", "r5", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");
    *s = k.planes;
}

#endif

void ek_bin_conv2d_mve(const ek_bin_conv2d_mve_params *p, int32_t *scratch, const int8_t *x,
                       int8_t *y)
{
    convolve(p, scratch, x, y);
}
