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
    # What XSAVE keeps of tiles: rows and bytes of a row stood in each other's place, half the rows were left out, and full tiles were taken for empty ones.
    ("cpu/xsave.cc", "tilecfg.vmm16u(8+n)    = BX_CPU_THIS_PTR amx->tilecfg[n].rows;",
     "tilecfg.vmm16u(8+n)    = BX_CPU_THIS_PTR amx->tilecfg[n].bytes_per_row;", 1),
    ("cpu/xsave.cc", "tilecfg.vmmubyte(48+n) = BX_CPU_THIS_PTR amx->tilecfg[n].bytes_per_row;",
     "tilecfg.vmmubyte(48+n) = BX_CPU_THIS_PTR amx->tilecfg[n].rows;", 1),
    ("cpu/xsave.cc", "row < BX_TILE_REGISTERS", "row < BX_TILE_MAX_ROWS", 2),
    ("cpu/xsave.cc", "(BX_CPU_THIS_PTR amx->tile_use_tracker == 0)", "(BX_CPU_THIS_PTR amx->tile_use_tracker != 0)", 1),
    # XFD, the register that disables tiles until their first use. Linux gives a thread room for tiles only in the fault (#NM) of that first use: without
    # the fault, tiles would be lost at each change of threads.
    ("cpu/cpuid.cc", "      leaf->eax |= (1<<3);\n", "      leaf->eax |= (1<<3) | (1<<4);\n", 1),
    ("cpu/cpuid.cc", "leaf->ecx = (cpu->ia32_xss_suppmask & (1 << subfunction)) != 0;",
     "leaf->ecx = ((cpu->ia32_xss_suppmask & (1 << subfunction)) != 0) | (((1 << subfunction) & BX_XCR0_XTILEDATA_MASK) ? 4 : 0);", 1),
    ("cpu/cpu.h", "  Bit64u ia32_xss;\n", "  Bit64u ia32_xss;\n  Bit64u ia32_xfd[2];  // XFD, XFD_ERR\n", 1),
    ("cpu/init.cc", "  BX_CPU_THIS_PTR msr.ia32_xss = 0;\n",
     "  BX_CPU_THIS_PTR msr.ia32_xss = 0;\n  BX_CPU_THIS_PTR msr.ia32_xfd[0] = BX_CPU_THIS_PTR msr.ia32_xfd[1] = 0;\n", 1),
    ("cpu/msr.cc", "  msr_desc[BX_MSR_XSS] =", """  msr_desc[BX_MSR_IA32_XFD] = new MSR_Descriptor("MSR_IA32_XFD", BX_ISA_AMX);
  msr_desc[BX_MSR_IA32_XFD_ERROR] = new MSR_Descriptor("MSR_IA32_XFD_ERR", BX_ISA_AMX);
  msr_desc[BX_MSR_XSS] =""", 1),
    ("cpu/msr.cc", """    case BX_MSR_XSS:
      if (""", """    case BX_MSR_IA32_XFD:
    case BX_MSR_IA32_XFD_ERROR:
      val64 = BX_CPU_THIS_PTR msr.ia32_xfd[index - BX_MSR_IA32_XFD];
      break;
    case BX_MSR_XSS:
      if (""", 1),
    ("cpu/msr.cc", """    case BX_MSR_XSS:
      {""", """    case BX_MSR_IA32_XFD:
    case BX_MSR_IA32_XFD_ERROR:
      if (val_64 & ~Bit64u(BX_XCR0_XTILEDATA_MASK))
        return false;
      BX_CPU_THIS_PTR msr.ia32_xfd[index - BX_MSR_IA32_XFD] = val_64;
      handleAvxModeChange();
      break;
    case BX_MSR_XSS:
      {""", 1),
    ("cpu/proc_ctrl.cc", "      (~BX_CPU_THIS_PTR xcr0.val32 & (BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK)) != 0)\n    clear_amx_ok();",
     "      (~BX_CPU_THIS_PTR xcr0.val32 & (BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK)) != 0 || BX_CPU_THIS_PTR msr.ia32_xfd[0] != 0)\n    "
     "clear_amx_ok();", 1),
    ("cpu/proc_ctrl.cc", """  if (~BX_CPU_THIS_PTR xcr0.val32 & (BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK))
    exception(BX_UD_EXCEPTION, 0);
""", """  if (~BX_CPU_THIS_PTR xcr0.val32 & (BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK))
    exception(BX_UD_EXCEPTION, 0);

  if (i->getIaOpcode() == BX_IA_TILERELEASE) {  // the only one that XFD does not stop
    TILERELEASE(i);
    return;
  }
  if (BX_CPU_THIS_PTR msr.ia32_xfd[0] != 0) {
    BX_CPU_THIS_PTR msr.ia32_xfd[1] = BX_CPU_THIS_PTR msr.ia32_xfd[0];
    exception(BX_NM_EXCEPTION, 0);
  }
""", 1),
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
