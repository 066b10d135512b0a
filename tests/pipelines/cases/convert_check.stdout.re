ceria\.pdf: 4 pages, 8859 glyphs: [0-9]+ text, [0-9]+ table, [0-9]+ figure, [0-9]+ furniture: balanced$
modes\.pdf: 1 page, 51 glyphs: .* discarded \(.*off_page\): balanced$
