// Keeps the latest output of a network for the link to read byte by byte.
//
// An output of one beat stays where it is: while `hold` is high it is not taken, and `out_ready`
// of the network is low. Longer ones are written into a memory as they pass. `select` moves to byte
// 0, `next` one byte on; `read_data` follows two clocks later.
// Cost: a multiplexer of the output's bytes, or one EBR.
`default_nettype none

module ek_result #(
    parameter integer WIDTH = 8,
    parameter integer BEATS = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             select,
    input  wire             next,
    output wire [7:0]       read_data,
    input  wire             hold,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    output wire             last           // the beat on `in_data` ends an output
);
    localparam integer LANES = WIDTH / 8;
    localparam integer LANE_BITS = (LANES > 1) ? $clog2(LANES) : 1;
    localparam integer BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST_LANE = LANES - 1;
    localparam integer LAST_BEAT = BEATS - 1;

    reg [LANE_BITS-1:0] lane;
    wire last_lane = (lane == LAST_LANE[LANE_BITS-1:0]);
    wire [WIDTH-1:0] beat;

    always @(posedge clk) begin
        if (next) lane <= last_lane ? {LANE_BITS{1'b0}} : lane + 1'b1;
        if (rst || select) lane <= {LANE_BITS{1'b0}};
    end

    generate
        if (LANES > 1) begin : g_lanes
            wire [8*(1<<LANE_BITS)-1:0] padded;
            assign padded = {{(8*(1<<LANE_BITS)-WIDTH){1'b0}}, beat};
            assign read_data = padded[8*lane +: 8];
        end else begin : g_lane
            assign read_data = beat;
        end

        if (BEATS > 1) begin : g_memory
            (* no_rw_check *) reg [WIDTH-1:0] memory [0:BEATS-1];
            reg [WIDTH-1:0] out;
            reg [BEAT_BITS-1:0] write_beat;
            reg [BEAT_BITS-1:0] read_beat;
            wire take = in_valid && in_ready;
            always @(posedge clk) begin
                if (take) begin
                    memory[write_beat] <= in_data;
                    write_beat <= last ? {BEAT_BITS{1'b0}} : write_beat + 1'b1;
                end
                if (next && last_lane) read_beat <= read_beat + 1'b1;
                if (rst || select) read_beat <= {BEAT_BITS{1'b0}};
                if (rst) write_beat <= {BEAT_BITS{1'b0}};
                out <= memory[read_beat];
            end
            assign beat = out;
            assign last = (write_beat == LAST_BEAT[BEAT_BITS-1:0]);
            assign in_ready = 1'b1;
            wire unused = hold;
        end else begin : g_hold
            assign beat = in_data;
            assign last = 1'b1;
            assign in_ready = !hold;
            wire unused = in_valid;
        end
    endgenerate
endmodule
`default_nettype wire
