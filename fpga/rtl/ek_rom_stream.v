// A stream that repeats the words of a table for ever: weights and constants of a folded layer.
//
// WORDS holds word i in bits [i * WIDTH +: WIDTH]. The first word is there two clocks after reset,
// each next one the clock after the one before is taken. BLOCK 1 asks for block RAM (read through a
// register, as the RAM is), 0 for logic.
// Cost: the memory and log2(DEPTH) * 2 LUT4; in logic about WIDTH * DEPTH / 16 LUT4 besides.
`default_nettype none

module ek_rom_stream #(
    parameter WIDTH = 16,
    parameter DEPTH = 4,
    parameter BLOCK = 0,
    parameter [WIDTH*DEPTH-1:0] WORDS = {WIDTH * DEPTH{1'b0}}
) (
    input  wire             clk,
    input  wire             rst,
    output reg              out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    localparam BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam [31:0] LAST = DEPTH - 1;

    reg [BITS-1:0] place;
    wire step = ~out_valid | out_ready;

    always @(posedge clk) begin
        if (step) begin
            out_valid <= 1'b1;
            place <= place == LAST[BITS-1:0] ? {BITS{1'b0}} : place + 1'b1;
        end
        if (rst) begin
            out_valid <= 1'b0;
            place <= {BITS{1'b0}};
        end
    end

    generate
        if (DEPTH == 1) begin : g_constant
            assign out_data = WORDS;
        end else if (BLOCK != 0) begin : g_block
            (* ram_style = "block" *) reg [WIDTH-1:0] memory[0:DEPTH-1];
            reg [WIDTH-1:0] kept;
            integer i;
            initial for (i = 0; i < DEPTH; i = i + 1) memory[i] = WORDS[i*WIDTH+:WIDTH];
            always @(posedge clk) if (step) kept <= memory[place];
            assign out_data = kept;
        end else begin : g_logic
            (* ram_style = "logic" *) reg [WIDTH-1:0] memory[0:DEPTH-1];
            reg [WIDTH-1:0] kept;
            integer i;
            initial for (i = 0; i < DEPTH; i = i + 1) memory[i] = WORDS[i*WIDTH+:WIDTH];
            always @(posedge clk) if (step) kept <= memory[place];
            assign out_data = kept;
        end
    endgenerate
endmodule

`default_nettype wire
