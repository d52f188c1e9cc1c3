# What the compiler and the linker can do against a bug that someone uses: scenesync_harden(TARGET)
# adds it to an interface library. Nothing of it is instead of a bounds check; it makes of a missed
# one an abort. tests/hardening/check looks for all of it in the program that was built.
#
# A compiler or linker that does not know an option goes without it. Not for sanitizer builds: they
# see more of the same, and FORTIFY's checks hide calls from them.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

# Executables are linked at no fixed address, whatever the compiler's default is: nothing in them
# stands where an attacker expects it.
check_pie_supported(LANGUAGES C)

set(harden_fortify "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=")

function(scenesync_harden_compile target option)
  string(MAKE_C_IDENTIFIER "harden${option}" is_known)
  check_c_compiler_flag(${option} ${is_known})
  if(${is_known})
    target_compile_options(${target} INTERFACE ${option})
  endif()
endfunction()

function(scenesync_harden_link target option)
  string(MAKE_C_IDENTIFIER "harden${option}" is_known)
  check_linker_flag(C ${option} ${is_known})
  if(${is_known})
    target_link_options(${target} INTERFACE ${option})
  endif()
endfunction()

# libc checks the sizes of buffers that the compiler knows, at level 3 also those that it knows only
# when the program runs. Needs optimization. A libc that does not know level 3 warns of it. The
# distribution's compiler may have set a level of its own.
function(scenesync_harden_libc target)
  set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_c_source_compiles("#include <string.h>\nint main(void) { return 0; }" harden_fortify_3)
  if(harden_fortify_3)
    target_compile_options(${target} INTERFACE "${harden_fortify}3>")
  else()
    target_compile_options(${target} INTERFACE "${harden_fortify}2>")
  endif()
endfunction()

# Level 2 for these files.
function(scenesync_harden_known_sizes_only)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS "${harden_fortify}2>")
endfunction()

function(scenesync_harden target)
  scenesync_harden_libc(${target})
  # A function with an array, or whose variables' addresses are taken, ends the process rather than
  # return to an address that was overwritten.
  scenesync_harden_compile(${target} -fstack-protector-strong)
  # A large frame touches each of its pages, so that it cannot step over the guard page.
  scenesync_harden_compile(${target} -fstack-clash-protection)
  # x86's CET: indirect calls land on functions only (IBT), returns go where the call came from
  # (SHSTK), where processor, kernel and libc enforce it.
  scenesync_harden_compile(${target} -fcf-protection=full)
  # The linker marks a program for CET only if all its parts are marked, and Debian's start files
  # are not. They call and return as everybody does, so a shadow stack fits them. They have no
  # landing pads: to mark the program for IBT as well would be a lie.
  scenesync_harden_link(${target} LINKER:-z,shstk)
  # Symbols are bound when the program starts, and the tables of their addresses then read-only.
  scenesync_harden_link(${target} LINKER:-z,relro)
  scenesync_harden_link(${target} LINKER:-z,now)
  # Data is not code, not even where an assembled part forgot to say so.
  scenesync_harden_link(${target} LINKER:-z,noexecstack)
  scenesync_harden_link(${target} LINKER:-z,separate-code)
endfunction()
