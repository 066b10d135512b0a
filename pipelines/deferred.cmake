# Libraries that the program loads at the first call into them, not when it starts. A command that generates text
# needs neither curl (with 25 libraries below it) nor BLAS nor what MuPDF reads fonts and pictures with, and binding
# their symbols takes longer than the rest of the start: 63 libraries cost 80 million cycles, 19 cost 17.
#
#   deferred_library(TARGET LIBRARY function...)   LIBRARY: a path as the linker was given it, or what stands behind -l
#   deferred_finish(TARGET)
#
# TARGET defines the functions itself, as jumps through a table whose entries load the library (deferred.S.in,
# deferred.c), so that nothing is left for the library to be bound for and --as-needed drops it. A function that is
# called but not listed is bound as ever: the library is then loaded at the start again, which a test tells
# (pipelines_deferred). liblode and the tests are linked plainly. Elsewhere than on x86-64 Linux these do nothing.
enable_language(ASM)
set(deferred_dir ${CMAKE_CURRENT_LIST_DIR})

function(deferred_library target library)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$"
     OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8 OR NOT CMAKE_OBJDUMP)
    return()
  endif()
  if(IS_ABSOLUTE "${library}")
    set(path ${library})
  else()
    find_library(path NAMES ${library} NO_CACHE)
  endif()
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${path} OUTPUT_VARIABLE headers ERROR_QUIET)
  if(NOT headers MATCHES "SONAME +([^ \n]+)")
    return()
  endif()
  set(lines "  library \"${CMAKE_MATCH_1}\"\n")
  foreach(function ${ARGN})
    string(APPEND lines "  function ${function}\n")
  endforeach()
  set_property(TARGET ${target} APPEND_STRING PROPERTY DEFERRED_LINES "${lines}")
endfunction()

function(deferred_finish target)
  get_target_property(DEFERRED_LINES ${target} DEFERRED_LINES)
  if(NOT DEFERRED_LINES)
    return()
  endif()
  configure_file(${deferred_dir}/deferred.S.in ${CMAKE_CURRENT_BINARY_DIR}/deferred.S @ONLY)
  set_property(TARGET ${target} PROPERTY DEFERRED_TABLE ${CMAKE_CURRENT_BINARY_DIR}/deferred.S)
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/deferred.S ${deferred_dir}/deferred.c)
  target_link_libraries(${target} PRIVATE ${CMAKE_DL_LIBS})
  # libtesseract exports the same C++ templates as libstdc++, and would be needed for those if it came first.
  target_link_options(${target} BEFORE PRIVATE LINKER:--no-as-needed -lstdc++ LINKER:--as-needed)
endfunction()

# ---- the program's ----------------------------------------------------------------------------

deferred_library(lode curl
  curl_easy_cleanup curl_easy_getinfo curl_easy_init curl_easy_perform curl_easy_reset curl_easy_setopt
  curl_easy_strerror curl_free curl_global_init curl_multi_add_handle curl_multi_cleanup curl_multi_info_read
  curl_multi_init curl_multi_perform curl_multi_poll curl_multi_remove_handle curl_multi_setopt curl_multi_strerror
  curl_slist_append curl_slist_free_all curl_url curl_url_cleanup curl_url_get curl_url_set curl_url_strerror
  curl_version_info)

# What FAISS calls.
deferred_library(lode ${lode_blas_library} dgemm_ sgemm_ ssyrk_)
deferred_library(lode ${lode_lapack_library}
  dgesvd_ dgetrf_ dgetri_ dsyev_ sgelsd_ sgeqrf_ sgesvd_ sgetrf_ sgetri_ sorgqr_)

deferred_library(lode xml2
  htmlCtxtReadMemory htmlEntityLookup htmlFreeParserCtxt htmlNewParserCtxt htmlReadMemory xmlBuildURI
  xmlCtxtGetLastError xmlCtxtReadMemory xmlDocGetRootElement xmlFreeDoc xmlFreeNode xmlFreeParserCtxt
  xmlInitParser xmlNewParserCtxt xmlReadMemory xmlSAX2EndElement xmlSAX2StartElement xmlStopParser xmlStrdup
  xmlUnlinkNode)

deferred_library(lode archive
  archive_entry_filetype archive_entry_is_data_encrypted archive_entry_is_encrypted archive_entry_pathname
  archive_entry_pathname_utf8 archive_error_string archive_format archive_read_data archive_read_data_block
  archive_read_free archive_read_new archive_read_next_header archive_read_open_memory
  archive_read_support_filter_bzip2 archive_read_support_filter_gzip archive_read_support_filter_xz
  archive_read_support_filter_zstd archive_read_support_format_raw archive_read_support_format_tar
  archive_read_support_format_zip)

deferred_library(lode md4c md_parse)

deferred_library(lode uchardet
  uchardet_data_end uchardet_delete uchardet_get_charset uchardet_handle_data uchardet_new)

# What MuPDF calls.
deferred_library(lode freetype
  FT_Add_Default_Modules FT_Done_Face FT_Done_Glyph FT_Done_Library FT_Get_Advance FT_Get_CMap_Format
  FT_Get_Char_Index FT_Get_First_Char FT_Get_Font_Format FT_Get_Glyph FT_Get_Glyph_Name FT_Get_Name_Index
  FT_Get_Next_Char FT_Get_Postscript_Name FT_Get_Sfnt_Table FT_Glyph_Stroke FT_Glyph_To_Bitmap
  FT_Library_Version FT_Load_Glyph FT_New_Library FT_New_Memory_Face FT_Outline_Decompose FT_Outline_Embolden
  FT_Outline_Get_CBox FT_Outline_Translate FT_Render_Glyph FT_Select_Charmap FT_Set_Char_Size FT_Set_Charmap
  FT_Set_Transform FT_Sfnt_Table_Info FT_Stroker_Done FT_Stroker_New FT_Stroker_Set)

deferred_library(lode harfbuzz
  hb_buffer_add_utf8 hb_buffer_clear_contents hb_buffer_create hb_buffer_destroy hb_buffer_get_glyph_infos
  hb_buffer_get_glyph_positions hb_buffer_guess_segment_properties hb_buffer_set_direction
  hb_buffer_set_language hb_font_destroy hb_ft_font_create hb_language_from_string hb_shape)

deferred_library(lode openjp2
  opj_create_decompress opj_decode opj_destroy_codec opj_image_destroy opj_read_header
  opj_set_default_decoder_parameters opj_set_error_handler opj_set_info_handler opj_set_warning_handler
  opj_setup_decoder opj_stream_default_create opj_stream_destroy opj_stream_set_read_function
  opj_stream_set_seek_function opj_stream_set_skip_function opj_stream_set_user_data
  opj_stream_set_user_data_length)

deferred_library(lode jbig2dec
  jbig2_complete_page jbig2_ctx_free jbig2_ctx_new_imp jbig2_data_in jbig2_global_ctx_free
  jbig2_make_global_ctx jbig2_page_out jbig2_release_page)

deferred_library(lode gumbo
  gumbo_destroy_output gumbo_normalized_tagname gumbo_parse_with_options)

deferred_library(lode jpeg
  jpeg_CreateDecompress jpeg_abort jpeg_destroy_decompress jpeg_read_header jpeg_read_scanlines
  jpeg_resync_to_restart jpeg_save_markers jpeg_start_decompress jpeg_std_error)

deferred_library(lode mujs
  js_construct js_copy js_defaccessor js_defglobal js_defproperty js_dostring js_endtry js_freestate
  js_getcontext js_getglobal js_getindex js_getlength js_getproperty js_getregistry js_gettop js_hasproperty
  js_isarray js_iscoercible js_isdefined js_isobject js_newcfunction js_newerror js_newobject js_newstate
  js_newuserdata js_pcall js_ploadstring js_pop js_pushboolean js_pushglobal js_pushnull js_pushnumber
  js_pushstring js_pushundefined js_replace js_savetry js_setcontext js_setproperty js_setregistry js_throw
  js_toboolean js_tointeger js_tonumber js_tostring js_touserdata js_tryboolean js_tryinteger js_trynumber
  js_tryrepr js_trystring)

# What reads text in pixels; Tesseract has 40 libraries below it.
deferred_library(lode tesseract
  TessBaseAPICreate TessBaseAPIDelete TessBaseAPIDetectOrientationScript TessBaseAPIEnd TessBaseAPIGetIterator
  TessBaseAPIInit2 TessBaseAPIRecognize TessBaseAPISetImage2 TessBaseAPISetPageSegMode TessBaseAPISetRectangle
  TessBaseAPISetSourceResolution TessBaseAPISetVariable TessDeleteText TessMonitorCreate TessMonitorDelete
  TessMonitorSetCancelFunc TessMonitorSetCancelThis TessMonitorSetDeadlineMSecs TessPageIteratorBaseline
  TessPageIteratorBegin TessPageIteratorBlockType TessPageIteratorBoundingBox TessPageIteratorIsAtBeginningOf
  TessPageIteratorIsAtFinalElement TessPageIteratorNext TessResultIteratorConfidence TessResultIteratorDelete
  TessResultIteratorGetPageIterator TessResultIteratorGetPageIteratorConst TessResultIteratorGetUTF8Text
  TessResultIteratorNext TessVersion)

deferred_library(lode lept
  boxAdjustSides boxCreate boxDestroy boxGetGeometry boxaDestroy boxaGetBox boxaGetBoxGeometry boxaGetCount
  kernelDestroy leptSetStderrHandler makeFlatKernel makeOrientDecision numaDestroy numaHistogramGetValFromRank
  pixAddBorderGeneral pixAlphaBlendUniform pixBackgroundNormSimple pixClearInRect pixClipBoxToForeground pixClipRectangle pixClone
  pixCloseSafeBrick pixConnCompBB pixConvertTo8 pixConvolveSep pixCopy pixCountPixels pixCreate pixCreateNoInit
  pixDestroy pixDilateBrick pixFindSkewOrthogonalRange pixFindSkewSweepAndSearch pixGenHalftoneMask pixGetData
  pixGetDepth pixGetGrayHistogram pixGetGrayHistogramMasked pixGetHeight pixGetSpp pixGetWidth pixGetWpl
  pixInvert pixMedianFilter pixMirrorDetect pixOpenBrick pixOr pixOrientDetect pixOtsuAdaptiveThreshold
  pixReadMemFromMultipageTiff pixReadMemWebP pixReduceRankBinary2 pixRemoveBorderConnComps pixRemoveColormap
  pixRotate pixRotateOrth pixScale pixScaleGrayLI pixScaleGrayMinMax pixSelectBySize pixSetInRect pixSetMasked
  pixSubtract pixThresholdToBinary pixXor readHeaderMemWebP setMsgSeverity)

deferred_finish(lode)
