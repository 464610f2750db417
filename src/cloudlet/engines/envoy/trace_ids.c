/* Adds X-Amzn-Trace-Id to requests, within Envoy, as Application Load Balancers do.
 *
 * A module of Envoy's ("Dynamic modules" in its docs), version 0.2.0 of that interface, which Envoy 1.40 has; it takes
 * the place of a filter in Lua that costs ten times as much. hatch_build.py compiles it into wheels.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct {
    const char *start;
    size_t size;
} text;

/* What Envoy has. */
bool envoy_dynamic_module_callback_early_header_mutation_get_header_value(void *request, text name, text *value,
                                                                          size_t place, size_t *count);
bool envoy_dynamic_module_callback_early_header_mutation_set_header(void *request, text name, text value);

static const text HEADER = {"x-amzn-trace-id", 15};
static const char SELF[] = "Self=", ROOT[] = "Root=";
enum { WORD = 5, ID = 35, MAX_KNOWN_BYTES = 7168 };

static _Thread_local uint64_t state[2];

/* Return a random number (xoroshiro128+): ids are to differ, nobody must be unable to guess them. */
static uint64_t draw(void) {
    if (!(state[0] | state[1]) && getrandom(state, sizeof state, 0) != sizeof state) {
        state[0] = (uint64_t)time(NULL);
        state[1] = (uint64_t)(uintptr_t)state;
    }
    uint64_t a = state[0], b = state[1], drawn = a + b;
    b ^= a;
    state[0] = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
    state[1] = (b << 37) | (b >> 27);
    return drawn;
}

static char *write_hex(char *to, uint64_t value, int digits) {
    for (int place = digits - 1; place >= 0; place--, value >>= 4) to[place] = "0123456789abcdef"[value & 15];
    return to + digits;
}

static char *write_id(char *to) {
    *to++ = '1';
    *to++ = '-';
    to = write_hex(to, (uint64_t)time(NULL), 8);
    *to++ = '-';
    to = write_hex(to, draw(), 16);
    return write_hex(to, draw() >> 32, 8);
}

static const char *find_word(const char *from, const char *end, const char *word) {
    for (; end - from >= WORD; from++)
        if (memcmp(from, word, WORD) == 0) return from;
    return NULL;
}

/* Write what is known but for its fields Self=, and return the end. */
static char *write_known(char *to, text known) {
    const char *from = known.start, *end = from + known.size;
    for (const char *own; (own = find_word(from, end, SELF)) != NULL;) {
        memcpy(to, from, (size_t)(own - from));
        to += own - from;
        const char *next = memchr(own, ';', (size_t)(end - own));
        from = next ? next + 1 : end;
    }
    memcpy(to, from, (size_t)(end - from));
    return to + (end - from);
}

/* What Envoy calls. */
const char *envoy_dynamic_module_on_program_init(void) { return "v0.2.0"; }

const void *envoy_dynamic_module_on_early_header_mutation_config_new(void *envoy, text name, text config) {
    (void)envoy, (void)name, (void)config;
    return &HEADER;
}

void envoy_dynamic_module_on_early_header_mutation_config_destroy(const void *config) { (void)config; }

bool envoy_dynamic_module_on_early_header_mutation_mutate(const void *config, void *request) {
    (void)config;
    char made[WORD + ID + 1 + MAX_KNOWN_BYTES], *end = made;
    text known = {NULL, 0};
    bool is_known =
        envoy_dynamic_module_callback_early_header_mutation_get_header_value(request, HEADER, &known, 0, NULL);
    if (!is_known || known.size > MAX_KNOWN_BYTES) {
        memcpy(made, ROOT, WORD);
        end = write_id(made + WORD);
    } else {
        /* The other fields stand behind the id. */
        char *rest = made + WORD + ID;
        *rest = ';';
        end = write_known(rest + 1, known);
        memcpy(made, find_word(rest, end, ROOT) ? SELF : ROOT, WORD);
        write_id(made + WORD);
    }
    envoy_dynamic_module_callback_early_header_mutation_set_header(request, HEADER,
                                                                   (text){made, (size_t)(end - made)});
    return true;
}
