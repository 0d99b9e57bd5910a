"""Mends what stands in the way in Bochs 3.0's source, by the instruction set reference: mend.py SOURCE. Bochs 3.1 has the first two itself."""
import os
import sys

MENDS = (
    # VCVTNE2PS2BF16: the upper half of the result is made of the first operand's elements from 0 on.
    ("cpu/avx/avx512_bf16.cc", "bfloat16(op1.vmm32u(n));", "bfloat16(op1.vmm32u(n - DWORD_ELEMENTS(len)));", 1),
    # TDPB: a signed byte is extended with its sign (it was kept unsigned).
    ("cpu/avx/amx.cc", " Bit32s(xbyte[", " (Bit32s)(Bit8s)(xbyte[", None),
    ("cpu/avx/amx.cc", " Bit32s(ybyte[", " (Bit32s)(Bit8s)(ybyte[", None),
    # Code that is rewritten: the cache of decoded code is found by address xor mode, and the mode's bit for tiles (128) swaps lines of 128 bytes in pairs.
    ("cpu/icache.h", "if (line_mask > mask) break;", "if (line_mask > (mask | (mask << 1))) break;", 1),
    # XFD, without which Linux does not switch tiles on. The register itself need not be there (ignore_bad_msrs): tiles are never disabled then.
    ("cpu/cpuid.cc", "      leaf->eax |= (1<<3);\n", "      leaf->eax |= (1<<3) | (1<<4);\n", 1),
)


def main():
    for path, old, new, times in MENDS:
        path = os.path.join(sys.argv[1], path)
        with open(path, encoding="latin-1") as f:
            text = f.read()
        if text.count(old) == 0 or (times and text.count(old) != times):
            sys.exit(f"{path}: '{old.strip()}' is there {text.count(old)} times: this is not Bochs 3.0")
        with open(path, "w", encoding="latin-1") as f:
            f.write(text.replace(old, new))


if __name__ == "__main__":
    main()
