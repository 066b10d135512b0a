White words on white paper praise this paper to machines
!Words beside the page
