// Everything around a network, `ek_core`, that a board with a serial line needs: the device link,
// a store of inputs, runs with their cycles, and sleep. The bytes are those of docs/LINK.md.
//
// INPUT_BYTES and OUTPUT_BYTES are a tensor's bytes on the wire; KEEP has a bit for each input byte
// that the network reads. The network takes IN_BEATS beats of IN_WIDTH bits; the store is
// STORE_WIDTH bits wide, equal to IN_WIDTH, or less, and then a beat is put together from words.
// `rx` and `tx` are the serial line, DIV clocks a bit. `mark` is high during an inference,
// `running` during a RUN, `awake` while `clk` is wanted, `idle` while nothing happens before the
// next start bit. `slow_clk` is 10 kHz and never stops; with SLEEPS = 0 it is not used.
// `twin` makes HELLO say that the board is a virtual one.
//
// `skip` and `ahead` are for simulators: where nothing but the time changes, `ahead` says for how many
// microseconds (of `slow_clk`: clocks, while `awake` is low) that will be so, and as many, or fewer,
// pass at the next edge beside its own clock if `skip` says so. On a part `skip` is 0.
`default_nettype none

module ek_shell #(
    parameter integer IN_WIDTH = 8,
    parameter integer IN_BEATS = 1,
    parameter integer OUT_WIDTH = 8,
    parameter integer OUT_BEATS = 1,
    parameter integer INPUT_BYTES = 1,
    parameter integer OUTPUT_BYTES = 1,
    parameter [INPUT_BYTES-1:0] KEEP = {INPUT_BYTES{1'b1}},
    parameter integer STORE_WIDTH = IN_WIDTH,
    parameter integer SLOTS = 64,
    parameter integer STORE_SPRAM_BITS = 0,   // of STORE_WIDTH, in SPRAM
    parameter integer LINK_SPRAM = 0,         // 1: the link's frames are in SPRAM
    parameter integer LOOPS = 0,              // the order of the store's words: see ek_store
    parameter [16*LOOPS+15:0] COUNTS = 16'd0,
    parameter [16*LOOPS+15:0] JUMPS = 16'd1,
    parameter [31:0]  WEIGHT_BYTES = 32'd0,   // to load before the first inference, < 131,072
    parameter integer CYCLE_BITS = 24,        // of one inference's cycles
    parameter integer FLYING_BITS = 8,        // of the inferences that are under way at once
    parameter integer CLOCK_MHZ = 12,
    parameter integer DIV = 104,
    parameter integer SLEEPS = 0,
    parameter [31:0]  NODES = 32'd0,          // of the graph
    parameter [31:0]  BAUD = 32'd115200,
    parameter [127:0] UID = 128'd0,           // these with their first byte lowest
    parameter [127:0] BUILD_ID = 128'd0,
    parameter [127:0] MODEL_HASH = 128'd0,
    parameter [191:0] BOARD = 192'd0,
    parameter [31:0]  OUTPUT_ZERO_POINT = 32'd0,
    parameter [31:0]  OUTPUT_SCALE_NANO = 32'd0,
    parameter integer NAME_BYTES = 0,
    parameter [511:0] NAME = 512'd0           // of the model
) (
    input  wire clk,
    input  wire slow_clk,
    input  wire rst,
    input  wire twin,
    input  wire [23:0] skip,
    output wire [23:0] ahead,
    input  wire rx,
    output wire tx,
    output wire mark,
    output wire awake,
    output wire running,
    output wire idle
);
    localparam integer PIECES = (IN_WIDTH + STORE_WIDTH - 1) / STORE_WIDTH;  // words of a beat
    localparam integer SKIP = (PIECES * STORE_WIDTH - IN_WIDTH) / 8;  // bytes of the first one
    localparam integer WORDS = IN_BEATS * PIECES;        // words of an input
    localparam integer SPARE = SLOTS * WORDS;
    localparam integer ADDR_BITS = $clog2(SPARE + WORDS);
    localparam integer STORE_BYTES = SLOTS * INPUT_BYTES;
    localparam integer CLOCK_HZ = CLOCK_MHZ * 1000000;
    localparam integer INFO_SIZE = 32 + NAME_BYTES;
    localparam [31:0] STORE_BYTES_32 = STORE_BYTES, OUTPUT_BYTES_32 = OUTPUT_BYTES;
    localparam [31:0] INPUT_BYTES_32 = INPUT_BYTES;
    localparam [31:0] CLOCK_HZ_32 = CLOCK_HZ;
    // STORE, RUN, CYCLES; WEIGHTS where there are any
    localparam [31:0] CAPS = (WEIGHT_BYTES != 32'd0) ? 32'd83 : 32'd19;

    // The messages of edgekit/device/layout.py, last field first. Zeros are filled in later.
    localparam [991:0] HELLO = {
        BOARD, MODEL_HASH, BUILD_ID, UID,
        32'd0,                                       // cold_cycles
        32'd0,                                       // cold_start_us
        STORE_BYTES_32, OUTPUT_BYTES_32, INPUT_BYTES_32, BAUD, CLOCK_HZ_32,
        32'd0,                                       // boot_count
        CAPS,
        32'd0,                                       // nonce
        NODES[15:0],
        16'd0,                                       // reset_reason: unknown
        16'd1,                                       // rx_window
        16'd0,                                       // session
        16'd256,                                     // mtu
        8'd0,                                        // kind
        8'd1                                         // proto
    };
    localparam [767:0] INFO = {
        NAME,
        64'd0,                                       // uptime_us
        32'd0,                                       // device_id
        STORE_BYTES_32, OUTPUT_SCALE_NANO, OUTPUT_ZERO_POINT,
        32'd0,                                       // arena_bytes
        NODES
    };
    localparam [151:0] LIMITS = {
        OUTPUT_BYTES_32[15:0], INFO_SIZE[7:0], SPARE[15:0], WORDS[15:0], WEIGHT_BYTES,
        STORE_BYTES_32, INPUT_BYTES_32
    };

    wire microsecond, store_home, store_spare, store_write, load_start, load_write;
    wire [15:0] loaded;
    wire [7:0] data;
    wire run_start, run_stop, run_more, run_slow, run_busy, run_gap, run_borrow, run_missed;
    wire run_counting, run_read, run_first, word_valid, word_ready, hold, out_select, out_next, out_last;
    wire [71:0] run_config;
    wire run_timed, left_write;
    wire [15:0] run_left;
    wire [CYCLE_BITS-1:0] cycles_min, cycles_max;
    wire [ADDR_BITS-1:0] run_addr;
    wire [STORE_WIDTH-1:0] word;
    wire in_valid, in_ready, out_valid, out_ready;
    wire [IN_WIDTH-1:0] in_data;
    wire [OUT_WIDTH-1:0] out_data;
    wire [7:0] out_byte;
    wire sleep, sleep_still, woken, slow_tick;
    wire [23:0] run_ahead, link_ahead, sleep_ahead;

    assign running = run_busy;
    assign ahead = awake ? link_ahead : sleep_ahead;
    // The configuration has room for 16 bits where fewer are used.
    wire unused = (&run_config) && slow_clk && sleep && run_slow;

    ek_link #(
        .DIV(DIV), .CLOCK_MHZ(CLOCK_MHZ), .CYCLE_BITS(CYCLE_BITS), .SPRAM(LINK_SPRAM),
        .HELLO(HELLO), .INFO(INFO), .LIMITS(LIMITS)
    ) u_link (
        .clk(clk), .rst(rst), .rx(rx), .tx(tx), .twin(twin), .idle(idle),
        .microsecond(microsecond), .skip(skip[15:0]), .ahead(link_ahead), .store_home(store_home), .store_spare(store_spare),
        .store_write(store_write), .load_start(load_start), .load_write(load_write),
        .loaded(loaded), .data(data),
        .run_start(run_start), .run_stop(run_stop), .run_more(run_more), .run_slow(run_slow),
        .run_timed(run_timed),
        .run_config(run_config), .left_write(left_write), .run_busy(run_busy), .run_gap(run_gap), .run_ahead(run_ahead),
        .run_borrow(run_borrow), .run_missed(run_missed), .run_tick(slow_tick && run_slow), .run_counting(run_counting),
        .run_left(run_left), .cycles_min(cycles_min), .cycles_max(cycles_max),
        .out_select(out_select), .out_next(out_next), .out_data(out_byte),
        .can_sleep(SLEEPS != 0), .sleep(sleep), .sleep_still(sleep_still),
        .woken(woken)
    );

    ek_store #(
        .WIDTH(STORE_WIDTH), .BYTES(INPUT_BYTES), .KEEP(KEEP), .WORDS(WORDS), .PIECES(PIECES),
        .SKIP(SKIP), .SLOTS(SLOTS), .SPRAM_BITS(STORE_SPRAM_BITS), .LOOPS(LOOPS), .COUNTS(COUNTS), .JUMPS(JUMPS), .ADDR_BITS(ADDR_BITS)
    ) u_store (
        .clk(clk), .rst(rst), .write_home(store_home), .write_spare(store_spare),
        .write(store_write), .write_data(data), .read(run_read), .read_addr(run_addr),
        .read_first(run_first && (IN_BEATS == 1)), .read_data(word)
    );

    ek_run #(.ADDR_BITS(ADDR_BITS), .BEATS(WORDS), .CYCLE_BITS(CYCLE_BITS), .FLYING_BITS(FLYING_BITS)) u_run (
        .clk(clk), .rst(rst), .start(run_start), .stop(run_stop), .microsecond(microsecond),
        .skip(skip), .ahead(run_ahead),
        .slow(run_slow), .slow_tick(slow_tick), .base(run_config[ADDR_BITS-1:0]),
        .limit(run_config[16+ADDR_BITS-1:16]), .left_write(left_write), .left_data(data), .timed(run_timed), .more(run_more),
        .batch(run_config[47:32]), .period(run_config[71:48]), .borrow(run_borrow),
        .missed(run_missed), .busy(run_busy), .gap(run_gap), .mark(mark),
        .counting(run_counting), .left(run_left), .cycles_min(cycles_min),
        .cycles_max(cycles_max), .read(run_read), .read_addr(run_addr), .read_first(run_first),
        .in_valid(word_valid),
        .in_ready(word_ready), .out_valid(out_valid), .out_last(out_last),
        .hold(hold)
    );

    generate
        if (PIECES > 1) begin : g_widen
            ek_widen #(.IN_WIDTH(STORE_WIDTH), .OUT_WIDTH(IN_WIDTH)) u_widen (
                .clk(clk), .rst(rst), .in_valid(word_valid), .in_ready(word_ready),
                .in_data(word), .out_valid(in_valid), .out_ready(in_ready), .out_data(in_data)
            );
        end else begin : g_direct
            assign in_valid = word_valid;
            assign word_ready = in_ready;
            assign in_data = word;
        end
    endgenerate

    ek_result #(.WIDTH(OUT_WIDTH), .BEATS(OUT_BEATS)) u_result (
        .clk(clk), .rst(rst), .select(out_select), .next(out_next), .read_data(out_byte),
        .hold(hold), .in_valid(out_valid), .in_ready(out_ready), .in_data(out_data),
        .last(out_last)
    );

    // Weights go to the network in words of 16 bits, in order, once: it keeps them over a reset, so
    // the count of them is kept too, and a transfer that a reset cut short goes on there.
    wire load_valid;
    wire [15:0] load_data;
    generate
        if (WEIGHT_BYTES != 32'd0) begin : g_load
            reg [15:0] count = 16'd0;
            reg odd, valid;
            reg [15:0] two;
            assign load_valid = valid;
            assign load_data = two;
            assign loaded = count;
            always @(posedge clk) begin
                valid <= load_write && odd;
                if (valid) count <= count + 16'd1;
                if (load_write) begin
                    two <= {data, two[15:8]};
                    odd <= !odd;
                end
                if (rst || load_start) begin
                    valid <= 1'b0;
                    odd <= 1'b0;
                end
            end
        end else begin : g_no_load
            wire load_unused = load_write || load_start;
            assign load_valid = 1'b0;
            assign load_data = 16'd0;
            assign loaded = 16'd0;
        end
    endgenerate

    ek_core u_core (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready),
        .in_data(in_data), .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data),
        .load_valid(load_valid), .load_data(load_data)
    );

    generate
        if (SLEEPS != 0) begin : g_sleep
            ek_clock u_clock (
                .clk(clk), .rst(rst), .slow_clk(slow_clk), .rx(rx),
                .sleep(sleep && (run_gap || !run_busy)), .timed(run_slow && run_busy),
                .period(run_config[71:48]), .skip(skip), .ahead(sleep_ahead),
                .still(sleep_still),
                .awake(awake), .tick(slow_tick), .woken(woken)
            );
        end else begin : g_awake
            assign awake = 1'b1;
            assign slow_tick = 1'b0;
            assign woken = 1'b0;
            assign sleep_ahead = 24'd0;
            assign sleep_still = 1'b1;
        end
    endgenerate
endmodule
`default_nettype wire
