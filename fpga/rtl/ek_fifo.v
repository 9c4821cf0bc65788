// First in, first out: DEPTH words (a power of two) in block RAM, or in registers where small.
//
// `in_ready` depends on registers alone, so a FIFO also cuts the chain of ready signals. A word is
// at the output two clocks after it was taken into an empty FIFO: one for the memory, one for the
// read. In all DEPTH + 1 words are held, one of them in the memory's output register.
// Cost: DEPTH x WIDTH bits of memory, about 4 * log2(DEPTH) + 8 LUT4.
`default_nettype none

module ek_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 256
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    output reg              out_valid,
    input  wire             out_ready,
    output reg  [WIDTH-1:0] out_data
);
    localparam BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam [31:0] FULL = DEPTH;

    reg [WIDTH-1:0] memory[0:DEPTH-1];
    reg [BITS-1:0] head, tail;
    reg [BITS:0] count;

    wire write = in_valid & in_ready;
    wire read = (count != {(BITS + 1) {1'b0}}) & (~out_valid | out_ready);
    assign in_ready = count != FULL[BITS:0];

    always @(posedge clk) if (write) memory[head] <= in_data;
    always @(posedge clk) if (read) out_data <= memory[tail];

    always @(posedge clk) begin
        if (write) head <= DEPTH > 1 ? head + 1'b1 : head;
        if (read) tail <= DEPTH > 1 ? tail + 1'b1 : tail;
        if (write & ~read) count <= count + 1'b1;
        else if (read & ~write) count <= count - 1'b1;
        if (read) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            head <= {BITS{1'b0}};
            tail <= {BITS{1'b0}};
            count <= {(BITS + 1) {1'b0}};
            out_valid <= 1'b0;
        end
    end
endmodule

`default_nettype wire
