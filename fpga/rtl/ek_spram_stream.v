// As ek_rom_stream, its words in single-port RAM without initial contents (ek_spram), which are
// loaded before the first inference.
//
// Each word takes LANES words of 16 bits, the low one first: DEPTH * LANES clocks with `load_valid`
// fill it. `loaded` rises with the last; the memories of a network are chained, each passing on what
// comes after its own. Without a load nothing is ever sent. A reset keeps what was loaded.
// Cost: LANES SPRAM and about 50 LUT4.
`default_nettype none

module ek_spram_stream #(
    parameter WIDTH = 64,
    parameter DEPTH = 1024
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             load_valid,
    input  wire [     15:0] load_data,
    output wire             load_pass,
    output reg              out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    localparam LANES = (WIDTH + 15) / 16;
    localparam LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;
    localparam [31:0] LAST_WORD = DEPTH - 1;
    localparam [31:0] LAST_LANE = LANES - 1;

    reg loaded = 1'b0;
    reg [LANE_BITS-1:0] lane = {LANE_BITS{1'b0}};
    reg [13:0] place = 14'd0;
    wire write = load_valid & ~loaded;
    wire lane_done = lane == LAST_LANE[LANE_BITS-1:0];
    wire step = loaded & (~out_valid | out_ready);
    wire advance = step | (write & lane_done);
    wire end_reached = place == LAST_WORD[13:0];
    assign load_pass = load_valid & loaded;

    always @(posedge clk) begin
        if (write) lane <= lane_done ? {LANE_BITS{1'b0}} : lane + 1'b1;
        if (write & lane_done & end_reached) loaded <= 1'b1;
        if (advance) place <= end_reached ? 14'd0 : place + 14'd1;
        if (step) out_valid <= 1'b1;
        if (rst) begin
            out_valid <= 1'b0;
            if (loaded) place <= 14'd0;
        end
    end

    wire [16*LANES-1:0] word;
    assign out_data = word[WIDTH-1:0];
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            localparam [31:0] NUMBER = i;
            wire here = write & (lane == NUMBER[LANE_BITS-1:0]);
            ek_spram u_ram (
                .clk(clk),
                .enable(here | step),
                .write({2{here}}),
                .addr(place),
                .write_data(load_data),
                .read_data(word[16*i+:16])
            );
        end
        if (16 * LANES > WIDTH) begin : g_spare
            wire unused = &{1'b0, word[16*LANES-1:WIDTH], 1'b0};
        end
    endgenerate
endmodule

`default_nettype wire
