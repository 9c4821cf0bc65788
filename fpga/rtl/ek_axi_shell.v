// Everything between an AXI bus and a network (`ek_core`): control over AXI4-Lite, inferences from
// an input store that the bus fills, or from an AXI4-Stream, results to a window or a stream.
//
// Byte addresses: 00000 registers (ek_axi_regs), 20000 the latest result, 40000 the input store,
// SLOTS + 1 slots of IN_BEATS * ceil(IN_WIDTH / 32) words each (the last slot is for an input that
// is not part of a stored set). How a beat lies in words says ek_axi_stream.
// The bus writes inputs, sets FIRST, COUNT, N, BATCH and PERIOD and starts: what follows needs no
// processor until STATUS is no longer busy. With `stream` set, packets of s_axis become packets of
// m_axis, and nothing else starts an inference. A reset through CONTROL (16 clocks) ends whatever
// is under way, also a network that hangs; the bus side keeps answering.
//
// Parameters: the four of `ek_core`, SLOTS, CLOCK_HZ and the two identities that registers tell.
// Timing: one inference at a time; a word a clock each way around the network's own latency.
// Cost: 840 logic cells, 1,147 flip-flops, 1 DSP and the store for beats of 40 and 24 bits
// (yosys 0.23, synth_xilinx).
`default_nettype none

module ek_axi_shell #(
    parameter         IN_WIDTH = 32,
    parameter         IN_BEATS = 1,
    parameter         OUT_WIDTH = 32,
    parameter         OUT_BEATS = 1,
    parameter         SLOTS = 64,
    parameter         CLOCK_HZ = 100000000,
    parameter [127:0] BUILD_ID = 128'd0,
    parameter [127:0] MODEL_HASH = 128'd0
) (
    input  wire        clk,
    input  wire        rst,

    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [18:0] s_axi_awaddr,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    output wire [1:0]  s_axi_bresp,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    input  wire [18:0] s_axi_araddr,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,

    input  wire        s_axis_tvalid,
    output wire        s_axis_tready,
    input  wire [31:0] s_axis_tdata,
    input  wire        s_axis_tlast,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready,
    output wire [31:0] m_axis_tdata,
    output wire        m_axis_tlast
);
    localparam IN_WORDS = IN_BEATS * ((IN_WIDTH + 31) / 32);
    localparam OUT_WORDS = OUT_BEATS * ((OUT_WIDTH + 31) / 32);
    localparam RESULT_DEPTH = IN_WORDS > OUT_WORDS ? IN_WORDS : OUT_WORDS;  // loopback gives inputs
    localparam [31:0] LAST_IN = IN_BEATS - 1;
    localparam [31:0] LAST_OUT = OUT_BEATS - 1;

    wire        write_en;
    wire [18:0] write_addr;
    wire [31:0] write_data;
    wire [3:0]  write_strobe;
    wire        read_en;
    wire [18:0] read_addr;
    wire [31:0] read_data;

    ek_axi_lite #(
        .ADDR_WIDTH(19)
    ) lite (
        .clk(clk),
        .rst(rst),
        .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready),
        .s_axi_awaddr(s_axi_awaddr),
        .s_axi_wvalid(s_axi_wvalid),
        .s_axi_wready(s_axi_wready),
        .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb),
        .s_axi_bvalid(s_axi_bvalid),
        .s_axi_bready(s_axi_bready),
        .s_axi_bresp(s_axi_bresp),
        .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready),
        .s_axi_araddr(s_axi_araddr),
        .s_axi_rvalid(s_axi_rvalid),
        .s_axi_rready(s_axi_rready),
        .s_axi_rdata(s_axi_rdata),
        .s_axi_rresp(s_axi_rresp),
        .write_en(write_en),
        .write_addr(write_addr),
        .write_data(write_data),
        .write_strobe(write_strobe),
        .read_en(read_en),
        .read_addr(read_addr),
        .read_data(read_data)
    );

    wire        regs_write = write_en && write_addr[18:12] == 7'd0 && write_strobe == 4'hf;
    wire        store_write = write_en && write_addr[18];
    reg         from_result;
    wire [31:0] regs_data;
    wire [31:0] result_data;

    assign read_data = from_result ? result_data : regs_data;

    always @(posedge clk) begin
        if (read_en) begin
            from_result <= read_addr[17];
        end
    end

    wire        start;
    wire        stop;
    wire        loopback;
    wire        stream;
    wire        core_rst;
    wire [15:0] first;
    wire [15:0] count;
    wire [31:0] n;
    wire [15:0] batch;
    wire [31:0] period;
    wire        load_valid;
    wire [15:0] load_data;
    wire        busy;
    wire        result;
    wire [31:0] done;
    wire [31:0] missed;
    wire [63:0] clocks;
    wire        first_in;
    wire        last_out;
    wire        length_error;

    ek_axi_regs #(
        .IN_WORDS(IN_WORDS),
        .OUT_WORDS(OUT_WORDS),
        .SLOTS(SLOTS),
        .CLOCK_HZ(CLOCK_HZ),
        .BUILD_ID(BUILD_ID),
        .MODEL_HASH(MODEL_HASH)
    ) regs (
        .clk(clk),
        .rst(rst),
        .write_en(regs_write),
        .write_word(write_addr[11:2]),
        .write_data(write_data),
        .read_en(read_en),
        .read_word(read_addr[11:2]),
        .read_data(regs_data),
        .start(start),
        .stop(stop),
        .loopback(loopback),
        .stream(stream),
        .core_rst(core_rst),
        .first(first),
        .count(count),
        .n(n),
        .batch(batch),
        .period(period),
        .load_valid(load_valid),
        .load_data(load_data),
        .busy(busy),
        .result(result),
        .done(done),
        .missed(missed),
        .clocks(clocks),
        .first_in(first_in),
        .last_out(last_out),
        .length_error(length_error)
    );

    wire        store_en;
    wire [15:0] store_addr;
    wire [31:0] store_data;
    wire        feed_valid;
    wire        feed_last;

    ek_axi_memory #(
        .DEPTH((SLOTS + 1) * IN_WORDS),
        .ADDR_WIDTH(16)
    ) store (
        .clk(clk),
        .write_strobe(write_strobe & {4{store_write}}),
        .write_addr(write_addr[17:2]),
        .write_data(write_data),
        .read_en(store_en),
        .read_addr(store_addr),
        .read_data(store_data)
    );

    wire words_ready;

    ek_axi_feed #(
        .WORDS(IN_WORDS),
        .ADDR_WIDTH(16)
    ) feed (
        .clk(clk),
        .rst(core_rst),
        .start(start),
        .stop(stop),
        .first(first),
        .count(count),
        .n(n),
        .batch(batch),
        .period(period),
        .result(result),
        .store_en(store_en),
        .store_addr(store_addr),
        .out_valid(feed_valid),
        .out_ready(words_ready && !stream),
        .out_last(feed_last),
        .busy(busy),
        .done(done),
        .missed(missed),
        .clocks(clocks)
    );

    wire        words_valid = stream ? s_axis_tvalid : feed_valid;
    wire [31:0] words_data = stream ? s_axis_tdata : store_data;
    wire        words_last = stream ? s_axis_tlast : feed_last;
    wire        given_valid;
    wire        given_ready = stream ? m_axis_tready : 1'b1;
    wire [31:0] given_data;
    wire        given_last;
    wire                 core_in_valid;
    wire                 core_in_ready;
    wire [IN_WIDTH-1:0]  core_in_data;
    wire                 core_out_valid;
    wire                 core_out_ready;
    wire [OUT_WIDTH-1:0] core_out_data;

    assign s_axis_tready = stream && words_ready && !core_rst;
    assign m_axis_tvalid = stream && given_valid && !core_rst;
    assign m_axis_tdata = given_data;
    assign m_axis_tlast = given_last;

    ek_axi_stream #(
        .IN_WIDTH(IN_WIDTH),
        .IN_BEATS(IN_BEATS),
        .OUT_WIDTH(OUT_WIDTH),
        .OUT_BEATS(OUT_BEATS)
    ) packets (
        .clk(clk),
        .rst(core_rst),
        .loopback(loopback),
        .in_valid(words_valid && !core_rst),
        .in_ready(words_ready),
        .in_data(words_data),
        .in_last(words_last),
        .out_valid(given_valid),
        .out_ready(given_ready),
        .out_data(given_data),
        .out_last(given_last),
        .core_in_valid(core_in_valid),
        .core_in_ready(core_in_ready),
        .core_in_data(core_in_data),
        .core_out_valid(core_out_valid),
        .core_out_ready(core_out_ready),
        .core_out_data(core_out_data),
        .length_error(length_error)
    );

    ek_core core (
        .clk(clk),
        .rst(core_rst),
        .in_valid(core_in_valid),
        .in_ready(core_in_ready),
        .in_data(core_in_data),
        .out_valid(core_out_valid),
        .out_ready(core_out_ready),
        .out_data(core_out_data),
        .load_valid(load_valid),
        .load_data(load_data)
    );

    // Results to the window, and where inferences begin and end for the cycle counts.
    reg [15:0] result_addr;
    reg [31:0] in_beat;
    reg [31:0] out_beat;
    wire       kept = given_valid && !stream && !core_rst;
    wire       beat_in = core_in_valid && core_in_ready && !core_rst;
    wire       beat_out = core_out_valid && core_out_ready && !core_rst;

    assign result = kept && given_last;
    assign first_in = beat_in && in_beat == 32'd0;
    assign last_out = beat_out && out_beat == LAST_OUT;

    always @(posedge clk) begin
        if (kept) begin
            result_addr <= given_last ? 16'd0 : result_addr + 16'd1;
        end
        if (beat_in) begin
            in_beat <= in_beat == LAST_IN ? 32'd0 : in_beat + 32'd1;
        end
        if (beat_out) begin
            out_beat <= out_beat == LAST_OUT ? 32'd0 : out_beat + 32'd1;
        end
        if (core_rst) begin
            result_addr <= 16'd0;
            in_beat <= 32'd0;
            out_beat <= 32'd0;
        end
    end

    ek_axi_memory #(
        .DEPTH(RESULT_DEPTH),
        .ADDR_WIDTH(16)
    ) window (
        .clk(clk),
        .write_strobe({4{kept}}),
        .write_addr(result_addr),
        .write_data(given_data),
        .read_en(read_en),
        .read_addr({1'b0, read_addr[16:2]}),
        .read_data(result_data)
    );

    wire unused = &{1'b0, write_addr[1:0], read_addr[18], read_addr[1:0]};
endmodule

`default_nettype wire
