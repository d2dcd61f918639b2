/*
 * The client on a bare Cortex-M4, to show what it needs. Everything a board brings (its radio or Ethernet, clock, random bytes,
 * flash controller) is behind weak functions to replace; the model lies in flash and is used where it lies.
 */
#include "hd.h"

#define WEAK __attribute__((weak))

extern const uint8_t _binary_model_bin_start[], _binary_model_bin_end[];
extern uint32_t _stack_top[], _bss_start[], _bss_end[], _data_start[], _data_end[], _data_load[];
extern const uint8_t _slots[];

WEAK int board_connect(void) { return -1; }
WEAK int board_send(const uint8_t *bytes, size_t count) { return bytes && count ? -1 : 0; }
WEAK int board_receive(uint8_t *bytes, size_t room) { return bytes && room ? -1 : 0; }
WEAK void board_close(void) {}
WEAK uint32_t board_now_us(void) { return *(volatile uint32_t *)0xe0001004u; /* the cycle counter */ }
WEAK uint8_t board_random(void) { return (uint8_t)board_now_us(); }
WEAK int board_flash_erase(int slot) { return slot >= 0 ? -1 : 0; }
WEAK int board_flash_write(const uint8_t *at, const uint8_t *bytes, size_t count) { return at && bytes && count ? -1 : 0; }

static int port_connect(void *c) { (void)c; return board_connect(); }
static int port_send(void *c, const uint8_t *bytes, size_t count) { (void)c; return board_send(bytes, count); }
static int port_receive(void *c, uint8_t *bytes, size_t room) { (void)c; return board_receive(bytes, room); }
static void port_close(void *c) { (void)c; board_close(); }
static uint32_t port_now_ms(void *c) { (void)c; return board_now_us() / 1000u; }
static uint32_t port_now_us(void *c) { (void)c; return board_now_us(); }
static void port_random(void *c, uint8_t *bytes, size_t count) {
  (void)c;
  while (count > 0) bytes[--count] = board_random();
}
static const uint8_t *port_slot(void *c, int slot) { (void)c; return _slots + slot * HD_SLOT_BYTES; }
static int port_erase(void *c, int slot) { (void)c; return board_flash_erase(slot); }
static int port_write(void *c, int slot, uint32_t offset, const uint8_t *bytes, size_t count) {
  return board_flash_write(port_slot(c, slot) + offset, bytes, count);
}

static const hd_port port = {0, port_connect, port_send, port_receive, port_close, port_now_ms,
                             port_now_us, port_random, port_slot, port_erase, port_write};
static const hd_config config = {"gateway.example", "device-1", "key", "bare 1.0", sizeof(hd_client), 0, 0, 0};
static hd_client client;

int main(void) {
  hd_client_init(&client, &config, &port);
  if (!client.has_model) {
    hd_slot_install(&port, 0, 1, _binary_model_bin_start, (uint32_t)(_binary_model_bin_end - _binary_model_bin_start));
    hd_client_init(&client, &config, &port);
  }
  for (;;) hd_client_step(&client);
}

void reset(void) {
  uint32_t *to = _data_start;
  for (const uint32_t *from = _data_load; to < _data_end;) *to++ = *from++;
  for (to = _bss_start; to < _bss_end;) *to++ = 0;
  main();
}

typedef struct {
  uint32_t *stack;
  void (*reset)(void);
} vector_table;
__attribute__((section(".vectors"), used)) static const vector_table vectors = {_stack_top, reset};
