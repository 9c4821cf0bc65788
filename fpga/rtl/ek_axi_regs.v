// The registers of the AXI shell: who it is, what to run, and how that went.
//
// Byte offsets (edgekit/device/agent/registers.py declares them, a test compares the two):
//   00 ID "EKAX"    04 VERSION      08 STATUS       0c CONTROL
//   10..1c BUILD_ID, 20..2c MODEL_HASH, first byte lowest
//   30 IN_WORDS     34 OUT_WORDS    38 SLOTS        3c CLOCK_HZ
//   40 FIRST        44 COUNT        48 N            4c BATCH        50 PERIOD (clocks)
//   54 LOAD, written: one 16-bit word of the weights
//   60 DONE         64 MISSED       68 CYCLES       6c CYCLES_MIN   70 CYCLES_MAX
//   74 CYCLES_SUM (two words)       7c RUN_CLOCKS (two words)       84 CLOCKS, free running
//   88 LENGTH_ERRORS
// STATUS: 0 busy, 1 a result has come since the last start, 2 in reset.
// CONTROL: 0 start, 1 stop, 4 reset (each for this once); 2 loopback, 3 stream (kept).
// Cycles count from the first beat the network takes to the last it gives.
//
// Parameters: what the shell is built with. Timing: `read_data` one clock after `read_en`.
// Cost: about 400 flip-flops.
`default_nettype none

module ek_axi_regs #(
    parameter         IN_WORDS = 1,
    parameter         OUT_WORDS = 1,
    parameter         SLOTS = 1,
    parameter         CLOCK_HZ = 100000000,
    parameter [127:0] BUILD_ID = 128'd0,
    parameter [127:0] MODEL_HASH = 128'd0
) (
    input  wire        clk,
    input  wire        rst,

    input  wire        write_en,
    input  wire [9:0]  write_word,
    input  wire [31:0] write_data,
    input  wire        read_en,
    input  wire [9:0]  read_word,
    output reg  [31:0] read_data,

    output reg         start,
    output reg         stop,
    output reg         loopback,
    output reg         stream,
    output wire        core_rst,
    output reg  [15:0] first,
    output reg  [15:0] count,
    output reg  [31:0] n,
    output reg  [15:0] batch,
    output reg  [31:0] period,
    output reg         load_valid,
    output reg  [15:0] load_data,

    input  wire        busy,
    input  wire        result,
    input  wire [31:0] done,
    input  wire [31:0] missed,
    input  wire [63:0] clocks,
    input  wire        first_in,
    input  wire        last_out,
    input  wire        length_error
);
    localparam [31:0] ID = 32'h58414b45;  // "EKAX", first byte lowest
    localparam [31:0] VERSION = 32'd1;
    localparam [31:0] IN_WORDS_VALUE = IN_WORDS;
    localparam [31:0] OUT_WORDS_VALUE = OUT_WORDS;
    localparam [31:0] SLOTS_VALUE = SLOTS;
    localparam [31:0] CLOCK_HZ_VALUE = CLOCK_HZ;
    localparam [9:0] CONTROL = 10'h003;
    localparam [9:0] FIRST = 10'h010;
    localparam [9:0] COUNT = 10'h011;
    localparam [9:0] N = 10'h012;
    localparam [9:0] BATCH = 10'h013;
    localparam [9:0] PERIOD = 10'h014;
    localparam [9:0] LOAD = 10'h015;

    reg [3:0]  reset_left;
    reg        finished;
    reg [31:0] running;
    reg [31:0] cycles;
    reg [31:0] cycles_min;
    reg [31:0] cycles_max;
    reg [63:0] cycles_sum;
    reg [31:0] now;
    reg [31:0] length_errors;

    wire [31:0] latency = first_in ? 32'd0 : running;

    assign core_rst = rst || reset_left != 4'd0;

    always @(posedge clk) begin
        start <= write_en && write_word == CONTROL && write_data[0];
        stop <= write_en && write_word == CONTROL && write_data[1];
        load_valid <= write_en && write_word == LOAD;
        load_data <= write_data[15:0];
        if (reset_left != 4'd0) begin
            reset_left <= reset_left - 4'd1;
        end
        if (write_en) begin
            case (write_word)
                CONTROL: begin
                    loopback <= write_data[2];
                    stream <= write_data[3];
                    if (write_data[4]) reset_left <= 4'd15;
                end
                FIRST: first <= write_data[15:0];
                COUNT: count <= write_data[15:0];
                N: n <= write_data;
                BATCH: batch <= write_data[15:0];
                PERIOD: period <= write_data;
                default: ;
            endcase
        end
        if (rst) begin
            start <= 1'b0;
            stop <= 1'b0;
            load_valid <= 1'b0;
            loopback <= 1'b0;
            stream <= 1'b0;
            reset_left <= 4'd15;
            first <= 16'd0;
            count <= 16'd1;
            n <= 32'd1;
            batch <= 16'd1;
            period <= 32'd0;
        end
    end

    always @(posedge clk) begin
        now <= now + 32'd1;
        running <= latency + 32'd1;
        if (last_out) begin
            cycles <= latency;
            cycles_sum <= cycles_sum + {32'd0, latency};
            if (latency < cycles_min) cycles_min <= latency;
            if (latency > cycles_max) cycles_max <= latency;
        end
        if (length_error) begin
            length_errors <= length_errors + 32'd1;
        end
        finished <= finished || result;
        if (start) begin
            finished <= 1'b0;
            cycles_min <= 32'hffffffff;
            cycles_max <= 32'd0;
            cycles_sum <= 64'd0;
        end
        if (rst) begin
            now <= 32'd0;
            length_errors <= 32'd0;
            cycles <= 32'd0;
            finished <= 1'b0;
        end
    end

    always @(posedge clk) begin
        if (read_en) begin
            case (read_word)
                10'h000: read_data <= ID;
                10'h001: read_data <= VERSION;
                10'h002: read_data <= {29'd0, core_rst, finished, busy};
                CONTROL: read_data <= {28'd0, stream, loopback, 2'd0};
                10'h004: read_data <= BUILD_ID[31:0];
                10'h005: read_data <= BUILD_ID[63:32];
                10'h006: read_data <= BUILD_ID[95:64];
                10'h007: read_data <= BUILD_ID[127:96];
                10'h008: read_data <= MODEL_HASH[31:0];
                10'h009: read_data <= MODEL_HASH[63:32];
                10'h00a: read_data <= MODEL_HASH[95:64];
                10'h00b: read_data <= MODEL_HASH[127:96];
                10'h00c: read_data <= IN_WORDS_VALUE;
                10'h00d: read_data <= OUT_WORDS_VALUE;
                10'h00e: read_data <= SLOTS_VALUE;
                10'h00f: read_data <= CLOCK_HZ_VALUE;
                FIRST: read_data <= {16'd0, first};
                COUNT: read_data <= {16'd0, count};
                N: read_data <= n;
                BATCH: read_data <= {16'd0, batch};
                PERIOD: read_data <= period;
                10'h018: read_data <= done;
                10'h019: read_data <= missed;
                10'h01a: read_data <= cycles;
                10'h01b: read_data <= cycles_min;
                10'h01c: read_data <= cycles_max;
                10'h01d: read_data <= cycles_sum[31:0];
                10'h01e: read_data <= cycles_sum[63:32];
                10'h01f: read_data <= clocks[31:0];
                10'h020: read_data <= clocks[63:32];
                10'h021: read_data <= now;
                10'h022: read_data <= length_errors;
                default: read_data <= 32'd0;
            endcase
        end
    end
endmodule

`default_nettype wire
