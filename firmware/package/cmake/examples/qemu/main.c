/* The model on its stored input: prints what it answers beside what it must answer. */
#include "model.h"
#include "model_example.h"
#include "platform.h"

static void print_integer(int32_t v)
{
    char text[12];
    uint32_t left = v < 0 ? 0U - (uint32_t)v : (uint32_t)v;
    int32_t at = (int32_t)sizeof(text) - 1;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + left % 10U);
        left /= 10U;
    } while (left != 0U);
    if (v < 0) {
        text[--at] = '-';
    }
    platform_print(&text[at]);
}

int main(void)
{
    const int32_t wrong = model_example_run();

    for (int32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        platform_print("output ");
        print_integer(i);
        platform_print(": ");
        print_integer(model_output()[i]);
        platform_print(", expected ");
        print_integer(model_example_output[i]);
        platform_print("\n");
    }
    platform_print(wrong == 0 ? "PASS\n" : "FAIL\n");
    return wrong == 0 ? 0 : 1;
}
