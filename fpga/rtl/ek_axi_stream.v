// A network behind a stream of 32-bit words with packet ends, as AXI4-Stream has them.
//
// One packet in is one inference, one packet out its result. A beat of the network takes
// ceil(width / 32) whole words, its low bits first, the rest of its last word being zero.
// A packet of a wrong length never stalls the stream: what is missing is filled with zeros, what is
// too much is dropped up to its end, and `length_error` is high for a clock. The result of such a
// packet still comes, so that whoever waits for it is not left waiting.
// `loopback` sends the words of each packet straight back and leaves the network alone; change it
// only while nothing is under way (in reset).
//
// Parameters: IN_WIDTH, OUT_WIDTH (bits of a beat, multiples of 8), IN_BEATS, OUT_BEATS.
// Timing: a word a clock each way; a beat leaves one clock after its last word, a word one clock
// after its beat. Cost: IN_WIDTH + OUT_WIDTH flip-flops (whole words) and two counters.
`default_nettype none

module ek_axi_stream #(
    parameter IN_WIDTH = 32,
    parameter IN_BEATS = 1,
    parameter OUT_WIDTH = 32,
    parameter OUT_BEATS = 1
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 loopback,

    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [31:0]          in_data,
    input  wire                 in_last,
    output wire                 out_valid,
    input  wire                 out_ready,
    output wire [31:0]          out_data,
    output wire                 out_last,

    output wire                 core_in_valid,
    input  wire                 core_in_ready,
    output wire [IN_WIDTH-1:0]  core_in_data,
    input  wire                 core_out_valid,
    output wire                 core_out_ready,
    input  wire [OUT_WIDTH-1:0] core_out_data,

    output wire                 length_error
);
    localparam IN_WORDS = (IN_WIDTH + 31) / 32;
    localparam OUT_WORDS = (OUT_WIDTH + 31) / 32;
    localparam [31:0] PACKET = IN_BEATS * IN_WORDS;
    localparam [31:0] RESULT = OUT_BEATS * OUT_WORDS;

    // Packets in: exactly PACKET words come out of this part for each.
    localparam [1:0] PASS = 2'd0;
    localparam [1:0] FILL = 2'd1;
    localparam [1:0] DROP = 2'd2;

    reg [1:0]   state;
    reg [31:0]  word;
    wire        word_last = word == PACKET - 32'd1;
    wire        word_valid = state == FILL || (state == PASS && in_valid);
    wire        word_ready;
    wire [31:0] word_data = state == FILL ? 32'd0 : in_data;
    wire        word_taken = word_valid && word_ready;

    assign in_ready = state == DROP || (state == PASS && word_ready);
    assign length_error = state == PASS && word_taken && in_last != word_last;

    always @(posedge clk) begin
        if (word_taken) begin
            word <= word_last ? 32'd0 : word + 32'd1;
        end
        case (state)
            PASS: if (length_error) state <= in_last ? FILL : DROP;
            FILL: if (word_taken && word_last) state <= PASS;
            default: if (in_valid && in_last) state <= PASS;
        endcase
        if (rst) begin
            state <= PASS;
            word <= 32'd0;
        end
    end

    // Words to beats.
    reg [IN_WORDS*32-1:0]      beat;
    reg [31:0]                 beat_word;
    reg                        beat_full;
    wire [IN_WORDS*32+31:0]    beat_next = {word_data, beat};
    wire                       beat_ready = !beat_full || core_in_ready;

    assign word_ready = loopback ? out_ready : beat_ready;
    assign core_in_valid = beat_full;
    assign core_in_data = beat[IN_WIDTH-1:0];

    always @(posedge clk) begin
        if (core_in_ready) begin
            beat_full <= 1'b0;
        end
        if (word_taken && !loopback) begin
            beat <= beat_next[IN_WORDS*32+31:32];
            beat_full <= beat_word == IN_WORDS - 1;
            beat_word <= beat_word == IN_WORDS - 1 ? 32'd0 : beat_word + 32'd1;
        end
        if (rst) begin
            beat_full <= 1'b0;
            beat_word <= 32'd0;
        end
    end

    // Beats to words.
    reg [OUT_WORDS*32-1:0]     rest;
    reg [31:0]                 rest_words;
    reg [31:0]                 sent;
    wire [OUT_WORDS*32+31:0]   rest_next = {32'd0, rest};
    wire [OUT_WORDS*32-1:0]    result;
    wire                       sent_last = sent == RESULT - 32'd1;
    wire                       give = out_valid && out_ready && !loopback;

    generate
        if (OUT_WORDS * 32 == OUT_WIDTH) begin : whole
            assign result = core_out_data;
        end else begin : padded
            assign result = {{(OUT_WORDS * 32 - OUT_WIDTH) {1'b0}}, core_out_data};
        end
    endgenerate

    assign core_out_ready = rest_words == 32'd0 || (rest_words == 32'd1 && give);
    assign out_valid = loopback ? word_valid : rest_words != 32'd0;
    assign out_data = loopback ? word_data : rest[31:0];
    assign out_last = loopback ? word_last : sent_last;

    always @(posedge clk) begin
        if (give) begin
            rest <= rest_next[OUT_WORDS*32+31:32];
            rest_words <= rest_words - 32'd1;
            sent <= sent_last ? 32'd0 : sent + 32'd1;
        end
        if (core_out_valid && core_out_ready) begin
            rest <= result;
            rest_words <= OUT_WORDS;
        end
        if (rst) begin
            rest_words <= 32'd0;
            sent <= 32'd0;
        end
    end

    // The words of `beat` that are not part of the network's beat, and the low words shifted out.
    wire unused = &{1'b0, beat, beat_next[31:0], rest_next[31:0]};
endmodule

`default_nettype wire
