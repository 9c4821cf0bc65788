// The inputs that a pruned layer names: a list of (index, weight) in place of a mask or of zeros.
//
// A vector of INPUTS elements comes in, one a clock, into one of two banks, a copy for each lane; the
// list stream is then read once, LENGTH words: lane i has its index in bits [i * (INDEX + WEIGHT_BITS)
// +: INDEX] with INDEX = log2(INPUTS) rounded up, its weight above, and the word's top bit ends a
// group of neurons. Each word becomes the lanes' elements, their weights and out_last, for ek_mvtu
// with LISTS. A lane whose list is shorter has weights of 0 at its end.
//
// Timing: a word a clock from two clocks after the vector's last element; the next vector comes in
// meanwhile. Cost: LANES x 2 x INPUTS x BITS of block RAM, about 40 LUT4.
`default_nettype none

module ek_gather #(
    parameter LANES = 1,
    parameter BITS = 1,
    parameter INPUTS = 256,
    parameter WEIGHT_BITS = 2,
    parameter LENGTH = 1000,
    parameter INDEX = INPUTS > 1 ? $clog2(INPUTS) : 1,
    parameter WORD = LANES * (INDEX + WEIGHT_BITS) + 1
) (
    input  wire                         clk,
    input  wire                         rst,
    input  wire                         in_valid,
    output wire                         in_ready,
    input  wire [             BITS-1:0] in_data,
    input  wire                         list_valid,
    output wire                         list_ready,
    input  wire [             WORD-1:0] list_data,
    output reg                          out_valid,
    input  wire                         out_ready,
    output wire [       LANES*BITS-1:0] out_data,
    output wire [LANES*WEIGHT_BITS-1:0] out_weights,
    output reg                          out_last
);
    localparam LENGTH_BITS = LENGTH > 1 ? $clog2(LENGTH) : 1;
    localparam [31:0] INPUT_LAST = INPUTS - 1;
    localparam [31:0] LENGTH_LAST = LENGTH - 1;

    reg [INDEX-1:0] place;
    reg [LENGTH_BITS-1:0] entry;
    reg bank_in, bank_out;
    reg [1:0] whole;  // vectors that are in and not yet done
    wire write = in_valid & in_ready;
    wire step = (whole != 2'd0) & list_valid & (~out_valid | out_ready);
    wire vector_in = write & (place == INPUT_LAST[INDEX-1:0]);
    wire vector_out = step & (entry == LENGTH_LAST[LENGTH_BITS-1:0]);
    assign in_ready   = ~whole[1];
    assign list_ready = step;

    always @(posedge clk) begin
        if (write) place <= vector_in ? {INDEX{1'b0}} : place + 1'b1;
        if (step) entry <= vector_out ? {LENGTH_BITS{1'b0}} : entry + 1'b1;
        bank_in  <= bank_in ^ vector_in;
        bank_out <= bank_out ^ vector_out;
        if (vector_in & ~vector_out) whole <= whole + 2'd1;
        else if (vector_out & ~vector_in) whole <= whole - 2'd1;
        if (step) out_last <= list_data[WORD-1];
        if (step) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            place <= {INDEX{1'b0}};
            entry <= {LENGTH_BITS{1'b0}};
            bank_in <= 1'b0;
            bank_out <= 1'b0;
            whole <= 2'd0;
            out_valid <= 1'b0;
        end
    end

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            (* ram_style = "block" *) reg [BITS-1:0] memory[0:(2<<INDEX)-1];
            reg [BITS-1:0] kept;
            reg [WEIGHT_BITS-1:0] weight;
            wire [INDEX-1:0] index = list_data[i*(INDEX+WEIGHT_BITS)+:INDEX];
            always @(posedge clk) if (write) memory[{bank_in, place}] <= in_data;
            always @(posedge clk)
                if (step) begin
                    kept   <= memory[{bank_out, index}];
                    weight <= list_data[i*(INDEX+WEIGHT_BITS)+INDEX+:WEIGHT_BITS];
                end
            assign out_data[i*BITS+:BITS] = kept;
            assign out_weights[i*WEIGHT_BITS+:WEIGHT_BITS] = weight;
        end
    endgenerate
endmodule

`default_nettype wire
