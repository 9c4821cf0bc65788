// testbench INPUT OUTPUT [EXPECTED]: runs the model on the words of INPUT, sample by sample, and
// writes what it answers. With EXPECTED it compares, and ends with 1 where an answer differs.
// Without any they are input.hex, output.hex and expected.hex. A file holds one 32-bit
// word a line, in hexadecimal digits.
#include "model.hpp"

#include <cstdio>

namespace
{

bool read_word(std::FILE *file, unsigned &word)
{
    return std::fscanf(file, "%x", &word) == 1;
}

// Returns false at the end of the file.
bool read_sample(std::FILE *file, ek::Stream &in)
{
    for (int i = 0; i < MODEL_INPUT_WORDS; ++i) {
        unsigned word = 0;
        if (!read_word(file, word)) {
            return false;
        }
        ek::send(word, i == MODEL_INPUT_WORDS - 1, in);
    }
    return true;
}

// Returns how many words differ; none without an expected file.
int write_sample(ek::Stream &out, std::FILE *output, std::FILE *expected)
{
    int wrong = 0;
    for (int i = 0; i < MODEL_OUTPUT_WORDS; ++i) {
        const ek::Word word = out.read();
        const bool last = word.last.to_uint() != 0;
        std::fprintf(output, "%08x\n", word.data.to_uint());
        unsigned wanted = word.data.to_uint();
        if (expected != nullptr && !read_word(expected, wanted)) {
            ++wrong;
        }
        if (wanted != word.data.to_uint() || last != (i == MODEL_OUTPUT_WORDS - 1)) {
            ++wrong;
        }
    }
    return wrong;
}

} // namespace

int main(int argc, char **argv)
{
    std::FILE *input = std::fopen(argc > 1 ? argv[1] : "input.hex", "r");
    std::FILE *output = std::fopen(argc > 2 ? argv[2] : "output.hex", "w");
    const bool compared = argc != 3;
    std::FILE *expected = compared ? std::fopen(argc > 3 ? argv[3] : "expected.hex", "r") : nullptr;
    if (input == nullptr || output == nullptr || (compared && expected == nullptr)) {
        std::fprintf(stderr, "a file cannot be opened\n");
        return 2;
    }
    ek::Stream in;
    ek::Stream out;
    int samples = 0;
    int wrong = 0;
    for (; read_sample(input, in); ++samples) {
        ek_model(in, out);
        wrong += write_sample(out, output, expected) == 0 ? 0 : 1;
    }
    const bool written = std::fclose(output) == 0;
    std::printf("%d samples, %d differ\n", samples, wrong);
    return wrong == 0 && written && out.empty() && samples > 0 ? 0 : 1;
}
