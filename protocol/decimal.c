#include "protocol/decimal.h"

const char decimal_pairs[] = "0001020304050607080910111213141516171819"
                             "2021222324252627282930313233343536373839"
                             "4041424344454647484950515253545556575859"
                             "6061626364656667686970717273747576777879"
                             "8081828384858687888990919293949596979899";

size_t decimal_write(uint64_t value, char *out)
{
    size_t size = decimal_size(value);
    decimal_write_counted(value, size, out);
    return size;
}

size_t decimal_write_signed(int64_t value, char *out)
{
    if (value >= 0) {
        return decimal_write((uint64_t)value, out);
    }
    out[0] = '-';
    return 1 + decimal_write(-(uint64_t)value, out + 1);
}

size_t decimal_read_prefix(struct span text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    size_t size = 0;
    while (size < text.size && text.data[size] >= '0' && text.data[size] <= '9') {
        uint64_t digit = (uint64_t)(text.data[size] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
        size++;
    }
    if (size > 0) {
        *out = value;
    }
    return size;
}

bool decimal_read(struct span text, uint64_t max, uint64_t *out)
{
    uint64_t value;
    size_t size = decimal_read_prefix(text, max, &value);
    if (size == 0 || size != text.size) {
        return false;
    }
    *out = value;
    return true;
}

bool decimal_read_signed(struct span text, int64_t *out)
{
    uint64_t value;
    if (text.size > 0 && text.data[0] == '-') {
        struct span digits = span_make(text.data + 1, text.size - 1);
        if (!decimal_read(digits, (uint64_t)INT64_MAX + 1, &value)) {
            return false;
        }
        *out = value == 0 ? 0 : -(int64_t)(value - 1) - 1;
        return true;
    }
    if (!decimal_read(text, INT64_MAX, &value)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}
